-- Makes the database :name unless it exists. CREATE DATABASE has no IF NOT EXISTS, and takes no parameter.
select format('create database %I', :'name')
where not exists (select from pg_database where datname = :'name') \gexec
