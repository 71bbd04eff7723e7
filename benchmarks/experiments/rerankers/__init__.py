"""Can a better choice among the candidates that were read close the gap to an oracle?"""
