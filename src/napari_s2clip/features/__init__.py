"""Dense CLIP features: windows, attention parts, outliers, DINO proxy, methods."""
