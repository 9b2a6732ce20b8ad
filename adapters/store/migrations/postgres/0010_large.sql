-- Bodies that lie in files beside the database: of a shared store none does.

SELECT 1;
