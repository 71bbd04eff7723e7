"""Which loss aligns images and descriptions best?"""
