"""Side by side with peers: the layers against torch.nn, JAX, ONNX Runtime and the plain loop."""
