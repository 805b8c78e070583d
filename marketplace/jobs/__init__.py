"""This will run one-shot jobs: inputs in, a command, outputs out."""
