def read_openslo(documents, draft):
    pass
