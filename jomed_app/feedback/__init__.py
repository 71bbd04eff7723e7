"""What readers say of answers: one row a reading, in a file of the operator."""
