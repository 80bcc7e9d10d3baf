"""What runs a model that answers: transformers, vLLM, an OpenAI-compatible server, Ray."""
