def fits(law, tconorm):
    return False


silhouette = None
