"""How much must a localizer see?"""
