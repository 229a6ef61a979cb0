"""Make the starter perceptor: draw captioned pictures, train a small CLIP, evaluate, export."""
