"""Structure in codes: components, probes, clusters, embedding, neighbours, alignment of layers (CKA), and the attributes of people that they are compared with."""
