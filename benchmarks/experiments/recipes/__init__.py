"""What does a shorter recipe give up?"""
