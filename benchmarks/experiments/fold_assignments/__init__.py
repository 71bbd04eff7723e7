"""How much does the assignment of folds move a figure?"""
