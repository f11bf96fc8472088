"""The compiled engine: from a network, a loss and a rule to the C++ core, which equals the definitions."""
