-- The categories of Meshery's model schema. Ids are made from the names.

insert into categories (id, name) values
    ('a1b39405-2866-5205-bd66-c0633dbca0c2', 'Analytics'),
    ('9623153d-6545-55f7-9e21-91988fa2feff', 'App Definition and Development'),
    ('eb869bdc-a891-5632-85b3-71f86c60cf43', 'Cloud Native Network'),
    ('830c41f4-5449-50c7-acd4-ae7da3ecf827', 'Cloud Native Storage'),
    ('289810a5-bb02-51cc-81c2-ac7eb1c1d69f', 'Database'),
    ('a8300de9-6b66-5d89-9c36-b77e861d8f09', 'Machine Learning'),
    ('ebbe118c-8ef6-5bab-9ce8-23ff57b02c94', 'Observability and Analysis'),
    ('af8f8561-e4a4-5d93-a371-4f12ae27e4ce', 'Orchestration & Management'),
    ('99bc9518-1cec-5304-901f-c9126e7ef37e', 'Platform'),
    ('3c3b5e8c-b12f-54f4-953d-9e516c5888f3', 'Provisioning'),
    ('5dfbf6c0-cd00-5f27-a266-2466c9802d68', 'Runtime'),
    ('b5f801d6-35ef-57a1-bbb7-a52cecdf1622', 'Security & Compliance'),
    ('4aae19db-4e21-5533-a3d9-275222143158', 'Serverless'),
    ('97c4cd29-ae4a-5051-84f4-d0b17f3d0a7d', 'Tools'),
    ('51eff74e-67b8-5f2d-9ff4-7ad8c26a447c', 'Uncategorized');
