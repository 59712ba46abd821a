"""The skin phantom: images of skin with lesions, generated, in place of photographs of patients. NumPy alone."""
