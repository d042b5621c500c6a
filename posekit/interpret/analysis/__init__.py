"""Structure in codes: components, probes, clusters, embedding, neighbours, and the attributes of people that they are compared with; how
alike two layers are (CKA); and what a network makes of people who are turned.
"""
