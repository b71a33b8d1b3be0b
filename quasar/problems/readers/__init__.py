"""Problems as people have them: files and objects of other libraries, one module a format."""
