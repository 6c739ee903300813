"""The offline brain: a local server that speaks the Messages API, with an operator of rules behind it.

It is part of the product and not a mock: it reads real tool results and decides from them alone. It knows neither the
scenario nor the fault, and it never claims to be Claude.
"""
