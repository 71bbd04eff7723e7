"""The reader's judgement of an answer: the form that is sent, and what is kept of it."""
