"""Networks that text2art runs: the starter perceptor and (elsewhere) VQGAN."""
