-- The CRM's contacts in words of the entity: written by hand, so that comparing does not trust the mapping.
select email,
       trim(first_name || ' ' || last_name)  as name,
       coalesce(phone, '')                   as phone,
       status,
       trim_scale(credit_limit)::text        as credit,
       coalesce(birthday::text, '')          as birthday,
       concat_ws('|', coalesce(street, ''), coalesce(city, ''), coalesce(zip, '')) as address
  from shop.contacts
 order by email collate "C"
