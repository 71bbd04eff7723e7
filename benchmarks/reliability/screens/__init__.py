"""Does a machine's screen around an image change what is read in it?"""
