"""The one account and the one region of the local cloud."""

# The account number that AWS's own examples use. Every name (ARN) that the local cloud makes carries it.
ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
