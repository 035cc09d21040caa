"""Side by side with peers: layers against torch.nn, JAX, ONNX Runtime, the plain loop; `language` has whole models."""
