"""Structure in codes: components, probes, clusters, embedding, neighbours, and the attributes of people that they are compared with."""
