"""How like real ultrasound are the simulated cases?"""
