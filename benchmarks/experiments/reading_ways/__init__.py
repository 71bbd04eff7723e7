"""What makes a reader read its candidates?"""
