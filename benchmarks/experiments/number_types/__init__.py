"""What does the number type change in answers?"""
