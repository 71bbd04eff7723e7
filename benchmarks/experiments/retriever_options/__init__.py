"""Which way of teaching the query heads is best?"""
