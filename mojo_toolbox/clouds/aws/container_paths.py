"""How SageMaker hands files to containers: the names of channels, and the folders that it mounts."""

# The channel of a base model, in training jobs and in endpoints alike.
BASE_MODEL_CHANNEL = "base_model"
# Of the encoder that answers together with a model.
ENCODER_BASE_MODEL_CHANNEL = "encoder_base_model"
# SageMaker mounts CreateModel's AdditionalModelDataSources here, a folder for each channel.
ADDITIONAL_DATA_DIR = "/opt/ml/additional-model-data-sources"
CHECKPOINT_DIR = "/opt/ml/checkpoints"
