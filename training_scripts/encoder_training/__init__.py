"""Fine-tuning a sentence encoder: the parts of train_encoder.py."""
