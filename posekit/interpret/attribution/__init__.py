"""Which pixels and joints an answer hangs on: targets, methods, tests of them, dependency between joints."""
