"""A Google that answers from prepared bytes, and a provider's webhook: fast enough not to be what is measured."""
