"""Archives of photographs and files of networks, from where their makers publish them."""
