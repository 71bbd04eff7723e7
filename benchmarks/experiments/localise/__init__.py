"""How well are lesions found?"""
