"""The Hugging Face token of a gated base model, read by the container itself from AWS Secrets Manager.

A token in a request or an artifact could be read by everyone who may describe the job. An ARN gives nothing away.
"""

from __future__ import annotations

import json
import os


def fetch_hugging_face_token() -> None:
    """Set HF_TOKEN from the secret that MOJO_HF_TOKEN_SECRET_ARN names: the token alone, or JSON with a key HF_TOKEN.

    Raises:
        RuntimeError: the secret cannot be read. The message says which role needs which permission.
    """
    arn = os.environ.get("MOJO_HF_TOKEN_SECRET_ARN")
    if not arn or os.environ.get("HF_TOKEN"):
        return
    import boto3  # in AWS's images, and needed only for gated models

    try:
        # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME
        client = boto3.client("secretsmanager", region_name=arn.split(":")[3])
        secret = client.get_secret_value(SecretId=arn)["SecretString"].strip()
        token = str(json.loads(secret)["HF_TOKEN"]) if secret.startswith("{") else secret
    except Exception as error:
        raise RuntimeError(
            f"The secret {arn} cannot be read: {error}. The execution role needs secretsmanager:GetSecretValue on it."
        ) from error
    os.environ["HF_TOKEN"] = token
