"""Where runs are logged: MLflow, TensorBoard, Weights & Biases, by one protocol."""
