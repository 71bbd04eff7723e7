"""Which way of tuning with rewards is best?"""
