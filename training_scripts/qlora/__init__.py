"""Fine-tuning a language model with QLoRA: the parts of train_qlora.py."""
