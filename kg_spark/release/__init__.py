"""What is released of a question, in plain Python: which chain, why not, what of the question is given away."""
