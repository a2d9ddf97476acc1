"""The face classifier: architectures, recipes, training, export, evaluation and model card."""
