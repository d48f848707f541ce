-- The ERP's customers in words of the entity: written by hand, so that comparing does not trust the mapping.
select mail                                  as email,
       full_name                             as name,
       coalesce(tel, '')                     as phone,
       case status_code when 'L' then 'lead' when 'A' then 'active' else 'former' end as status,
       trim_scale(credit)::text              as credit,
       coalesce(to_date(born, 'DD.MM.YYYY')::text, '') as birthday,
       concat_ws('|', coalesce(addr1, ''), coalesce(town, ''), coalesce(postcode, '')) as address
  from shop.customers
 order by mail collate "C"
