"""The face detector: scenes, synthesis, network, losses, training, evaluation, export."""
