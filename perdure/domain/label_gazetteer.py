"""Common labels of news, documents, tickets, intents, mail, shops and reviews, each described in a line or more.

The names of a label begin a line, parted by commas (after a comma at its end they go on), in the singular. Its
descriptions follow, indented: the first says what it is, the others say what its texts are like, in other words.
"""

# News and the sections of a newspaper
NEWS = """
world, international, world news, foreign affair, international affair, global affair, foreign news,
geopolitics, international relation
    international politics, wars, elections, diplomacy and disasters in countries around the world
    governments, presidents, rebels, soldiers, bombings and peace talks abroad
    the United Nations, conflicts, refugees, terrorism, coups and foreign ministers
sport, sports news, athletics
    games, matches, teams, players, coaches, scores, leagues and championships
    football, baseball, basketball, tennis, golf, cricket, racing and the Olympics
    who won, who lost, injuries, transfers and seasons of athletes
business, business news, economy, economics, finance and economy, business and finance
    companies, stock markets, profits, jobs, trade and the economy
    shares, earnings, mergers, oil prices, interest rates, banks and investors
    a company's results, layoffs, takeovers, sales forecasts and economic data
sci tech, science and technology, science technology, sci and tech, scitech, technology and science,
tech and science
    science, research, computers, software, the internet and new gadgets
    scientists, space missions, discoveries, biology, physics and the climate
    software updates, computer security, mobile phones, video games, chips and web services
technology, tech, technology news, information technology, digital technology
    computers, software, the internet, phones, chips and gadgets
    new devices, apps, operating systems, artificial intelligence and online services
science, scientific research, science news
    research findings by scientists in physics, biology, chemistry and astronomy
    experiments, studies, space probes, fossils, genes and discoveries
politics, political, domestic politics, government and politics, policy and politics
    elections, parties, parliament, ministers, bills and political debates
    candidates, votes, senators, campaigns, coalitions and legislation
national, domestic, home news, nation
    news about the own country, its government and its society
local, local news, regional, community news
    news of a town or a region, its council, its people and events
health, healthcare, health care, wellness, health and wellness, public health
    medicine, diseases, doctors, hospitals, vaccines and healthy living
    patients, treatments, symptoms, diet, exercise and mental health
medicine, medical, clinical
    diagnoses, treatments, drugs, surgery and clinical research
entertainment, show business, showbiz, arts and entertainment, culture and entertainment,
media and entertainment
    films, television, music, celebrities, theatre and shows
    actors, singers, albums, series, concerts and awards
culture, art, arts and culture, fine art
    art, literature, music, theatre, museums and exhibitions
music
    songs, albums, bands, singers, concerts and instruments
film, movie, cinema
    films, directors, actors, scenes and the box office
television, tv, tv show
    television series, channels, broadcasts and presenters
book, literature, reading
    novels, authors, poems, publishing and reading
celebrity, gossip, people
    famous people, their private lives, weddings and scandals
travel, tourism, holiday, travel and tourism, vacation
    journeys, destinations, hotels, flights, sightseeing and holidays
    where to stay, what to see and how to get there
food, food and drink, cooking, cuisine, recipe, gastronomy, food and beverage, food and dining
    cooking, recipes, ingredients, restaurants, meals and drinks
    dishes and how they taste, baking, chefs and breakfasts
education, school, teaching, learning
    schools, universities, teachers, pupils, students and exams
    lessons, curricula, tuition, grades and classrooms
environment, climate, environmental, nature and environment, ecology, climate change
    nature, climate change, pollution, wildlife and conservation
    emissions, forests, rivers, species, waste and renewable energy
nature, wildlife, animal
    animals, plants, habitats and the outdoors
energy, oil and gas, energy and utility
    oil, gas, electricity, power plants, renewable energy and fuel prices
crime, crime and justice, police, law and order, true crime
    thefts, murders, fraud, police investigations, arrests and trials
    suspects, detectives, burglars, victims and courts
law, legal, justice, legal affair, court
    laws, courts, judges, lawyers, lawsuits and legal matters
weather, weather forecast, meteorology
    forecasts of rain, sun, wind, snow, storms and temperature
    how warm or cold it will be, frost, fog and heatwaves
disaster, accident, disaster and accident, natural disaster, emergency
    earthquakes, floods, fires, storms, crashes and rescues
war, conflict, war and conflict, military conflict, unrest
    fighting, soldiers, attacks, ceasefires and casualties
military, defence, army
    armed forces, weapons, soldiers and defence policy
religion, faith, belief, religion and belief
    churches, mosques, believers, clergy and faith
lifestyle, life and style, living, life
    fashion, home, relationships, leisure and everyday life
fashion, style, fashion and style, style and beauty
    clothes, designers, trends, models and shopping for outfits
opinion, editorial, comment, column, op ed
    an author's personal view, commentary and argument on a current matter
obituary, death
    the life of somebody who has died
science and environment
    research, discoveries, space, nature and climate
space, astronomy, aerospace
    planets, stars, rockets, astronauts, telescopes and missions
gaming, video game, game, games and esport
    video games, consoles, players, levels and game studios
automotive, car, auto, automobile, motoring, vehicle
    cars, engines, car makers, driving and repairs
real estate, property, housing, real estate market
    houses, flats, rents, mortgages and building sites
transport, transportation, traffic, infrastructure, transport and logistics
    roads, trains, buses, airports, traffic and infrastructure
agriculture, farming
    farms, crops, livestock, harvests and fields
labour, labor, employment, work, career, job
    jobs, wages, unions, hiring, careers and working life
society, social issue, social
    how people live together, families, inequality, migration and demographics
immigration, migration, refugee
    migrants, refugees, asylum, borders and visas
history
    the past, historical events, archives and archaeology
parenting, family, family and parenting, kid, child
    raising children, babies, parents and family life
home and garden, home, gardening, diy, home improvement
    furnishing, gardening, repairs and decorating a home
hobby, leisure, hobby and leisure
    pastimes, crafts, collecting and free time
computer, computing, computer and internet, internet, it, hardware and software
    computers, programs, networks, websites and how to use them
artificial intelligence, ai, machine learning, data science
    learning algorithms, models, data and intelligent machines
cybersecurity, security, computer security, it security, information security, cyber security
    hackers, malware, data breaches, vulnerabilities, passwords and protection
telecommunication, telecom, mobile
    mobile networks, phone companies, broadband and tariffs
biotechnology, biotech, life science, biology
    genes, cells, organisms, laboratories and drugs from biology
physics
    matter, energy, particles, forces and experiments
chemistry
    substances, reactions, molecules and laboratories
mathematics, math, maths
    numbers, proofs, equations, geometry and statistics
psychology, mental health
    mind, emotions, behaviour, therapy and well-being
philosophy, ethics
    ideas, ethics, arguments and thinkers
football, soccer
    football matches, goals, clubs, strikers, goalkeepers and leagues
american football, nfl
    touchdowns, quarterbacks, yards, linebackers and the season
baseball
    innings, pitchers, home runs, bases and the league
basketball
    points, rebounds, guards, courts and the play-offs
tennis
    sets, serves, seeds, rackets and tournaments
golf
    holes, birdies, rounds, courses and tournaments
cricket
    wickets, overs, innings, bowlers and tests
motorsport, formula one, racing, motor racing
    races, drivers, laps, engines and grands prix
olympic
    medals, athletes, events and ceremonies of the Olympic Games
cycling, bike
    bicycles, riders, stages and tours
stock market, market, stock, investing, investment, financial market
    share prices, indices, bonds, traders and investments
company, corporate, corporate news
    companies, their managers, results and strategies
banking, bank, finance, financial service, financial, banking and finance
    banks, loans, accounts, payments, insurance and investments
personal finance, money, saving
    saving, pensions, mortgages, taxes and household money
cryptocurrency, crypto, blockchain, bitcoin
    bitcoin, tokens, wallets and blockchains
insurance
    policies, premiums, claims, cover and insurers
tax, taxation
    taxes, returns, deductions and the tax office
trade, international trade, export
    imports, exports, tariffs and customs
retail, shopping, consumer
    shops, customers, prices and buying goods
manufacturing, industry, production
    factories, machines, materials and making goods
startup, entrepreneurship, venture
    founders, young companies and venture capital
marketing, advertising, marketing and advertising
    campaigns, brands, advertisements and customers' attention
"""

# Documents of an office
DOCUMENTS = """
invoice, bill, supplier invoice, vendor invoice, purchase invoice, sales invoice
    a request for payment that lists goods or services with prices, tax and the amount due
    items, quantities, unit prices, subtotal, VAT, total, bank account and payment terms
receipt, sales receipt, proof of payment, payment receipt
    a proof that something was paid, with date, items and the amount received
credit note, credit memo
    a document that takes back all or part of an invoice
reminder, dunning letter, payment reminder, overdue notice
    a letter that asks for an overdue payment
contract, agreement, legal agreement, legal contract, service agreement
    a legally binding agreement between parties with clauses, terms, obligations and signatures
    the parties agree, shall, termination, liability, governing law
amendment, addendum, contract amendment
    a change to an agreement that exists
lease, rental agreement, tenancy agreement, lease agreement, rental contract
    an agreement to rent a flat, a house or a thing, between landlord and tenant
nda, non disclosure agreement, confidentiality agreement
    an agreement to keep information secret
terms and condition, terms of service, terms of use, tos, general terms
    the general rules under which a service or goods are sold and used
privacy policy, privacy notice, data protection, privacy, data protection policy, gdpr
    how personal data are collected, used, shared and protected, and the rights of the persons
    cookies, controller, consent, access and erasure of data
cv, resume, curriculum vitae, résumé, résumé cv
    a person's work experience, education, skills and languages
    employment history by year, degrees, certificates and references
cover letter, job application, application letter, candidate application
    a letter in which somebody applies for a job and says why
    I apply for the position, my experience, my documents are attached
reference letter, letter of recommendation, recommendation letter
    a letter that praises and recommends a person
offer letter, job offer, employment offer
    a letter that offers a job with salary and start date
employment contract
    an agreement between employer and employee about work, salary, hours and notice
job advertisement, job ad, job posting, job description, vacancy, job listing, job vacancy
    an open position, with tasks, requirements and what the employer offers
    we are looking for a colleague, your profile, apply now
resignation, resignation letter, termination letter, notice of termination
    a letter that ends an employment or a contract
complaint, customer complaint, complaint letter, grievance, letter of complaint
    an angry or disappointed letter about bad service, a defect or a delay
    unacceptable, I expect compensation, nobody answered, I demand
meeting minutes, minutes, minute, protocol, meeting note, meeting record, minutes of meeting
    the record of a meeting, who was present, what was discussed, decided and assigned
    agenda items, resolutions, action points and the next date
agenda, meeting agenda
    the list of points for a coming meeting
report, business report
    findings, figures and conclusions on a subject, set out in sections
annual report
    a company's year in words and figures, for its shareholders
financial statement, balance sheet, income statement, financial report, profit and loss
    assets, liabilities, income, expenses and profit of a company
bank statement, account statement
    the transactions and the balance of a bank account
payslip, pay slip, salary slip, payroll, wage slip
    an employee's pay for a month with taxes and deductions
expense report, expense claim, expense, travel expense, expense reimbursement
    money that an employee paid for travel, meals or hotels and wants back
    receipts, mileage, daily allowance, taxi and train tickets
purchase order, order, po, order confirmation
    an order of goods or services from a supplier, with quantities and delivery date
quote, quotation, offer, estimate, price quote
    a price offered for goods or services before they are ordered
proposal, business proposal, project proposal, tender, bid
    a plan offered to a client, with scope, cost and schedule
delivery note, packing slip, packing list, shipping document, bill of lading, waybill
    what a delivery contains, where it goes and how it was sent
tax form, tax return, tax document
    a form that states income and tax for the tax office
form, application form, questionnaire, survey
    fields and questions for somebody to fill in
certificate, diploma, certification
    a document that states that somebody passed or something holds
license, licence, permit
    an official permission to do or use something
passport, identity document, id card, identification, id
    a person's name, date of birth, nationality and number on an official document
letter, business letter, correspondence
    a letter with salutation, matter and greeting
memo, memorandum, internal memo, announcement, internal announcement
    a notice to colleagues inside a company
email, mail, e mail
    a message with subject, greeting and signature
press release, news release, media release
    an announcement of a company to journalists, with quotations and a press contact
    for immediate release, announced today, about the company
brochure, flyer, advertisement, ad, promotional material, marketing material
    text that praises and sells a product or service
presentation, slide, slide deck
    short points on slides for an audience
user manual, manual, instruction, user guide, handbook, instruction manual, operating instruction, guide,
how to
    how to set up, use, clean and repair a device step by step
    press the button, insert, warning, error codes, maintenance
technical specification, specification, technical document, data sheet, technical documentation,
documentation
    requirements, measurements, interfaces and technical properties
policy, company policy, guideline, regulation
    rules that people in an organisation must follow
legal document, legal brief, court document, court filing, lawsuit, judgment
    papers of a court case, its parties, claims and decisions
patent
    an invention, its claims and how it works
scientific paper, research paper, scientific article, academic paper, paper, scientific publication
    methods, results and discussion of research, with abstract and references
thesis, dissertation, essay
    a long study written for a degree
medical report, medical record, discharge letter, doctor's letter, medical document, patient record,
clinical note
    a patient's history, examination, diagnosis, findings and treatment
    medication, symptoms, laboratory values and advice of a doctor
prescription
    a doctor's order of a medicine with its dose
insurance policy
    what an insurer covers, for whom and at what premium
insurance claim, claim, damage report, claim form
    a report of damage or loss to an insurer
will, testament
    what somebody leaves to whom after death
power of attorney
    an authority given to somebody to act for another
budget, financial plan, forecast
    planned income and spending
business plan
    how a company will earn money, its market, team and finances
project plan, roadmap, schedule, plan, milestone
    tasks, milestones, owners and dates
newsletter, digest, mailing
    regular news, tips and stories sent to subscribers
    this month, issue, our readers, unsubscribe
recipe book
    ingredients and steps for cooking dishes
speech, transcript, interview
    words that somebody spoke
news article, article, news, press article
    a journalist's report of current events
blog post, blog
    a personal or informal article on a website
advertising letter
    a letter that sells something
timesheet
    hours that a person worked, by day and project
inventory, stock list
    goods in stock with their quantities
menu
    dishes and drinks with prices
ticket, boarding pass, booking confirmation, reservation confirmation
    a booked journey or event with date, seat and price
utility bill, electricity bill, phone bill
    what a household pays for power, water, gas or phone
loan agreement, mortgage, loan application, loan
    money lent, its interest and repayment
"""

# Support tickets and mail
TICKETS = """
billing, billing issue, payment, billing question, invoice question, payment issue, billing and payment,
charge, billing inquiry, payment problem
    charges, payments, invoices, prices and subscription fees
    I was charged twice, wrong amount, my card, receipt, VAT and bank transfer
account access, login, login issue, login problem, account, sign in, authentication, password reset, access,
password, account issue, account access problem
    cannot log in, forgotten password, locked account or lost two-factor code
    password reset, sign-in, verification code, user name and hacked account
account management, account change, profile, account setting, update account
    changing details, settings or users of an account
bug report, bug, defect, error, technical issue, technical problem, software bug, issue, fault, malfunction,
technical
    something in the software does not work, crashes or shows an error
    it freezes, wrong result, nothing happens when I click, error message, since the update
feature request, enhancement, suggestion, improvement, wish, idea, enhancement request, feature,
product feedback
    a wish for something new that the product should be able to do
    please add, it would be great if, could you support, I would love to have
technical support, tech support, support, help, troubleshooting, customer support, customer service
    help with a technical problem, set-up or use of a product
how to question, question, general question, general inquiry, inquiry, enquiry, general enquiry,
information request, how to use
    a question about how something works or where to find it
shipping, delivery, shipment, delivery issue, shipping issue, delivery problem, order status, tracking,
where is my order, late delivery, logistic, shipping and delivery
    parcels, couriers, tracking, addresses and late or missing deliveries
    where is my package, it has not arrived, delivered to the wrong house, pick up
refund, return, return and refund, refund request, money back, reimbursement, return request
    sending goods back and getting the money back
    I want my money back, return label, credited to my card, it does not fit
exchange, replacement
    getting another item instead of a wrong or broken one
warranty, guarantee, repair
    repair or replacement of a broken thing within its warranty
cancellation, cancel, cancel subscription, unsubscribe, cancel order, terminate, churn,
cancellation request, termination, subscription cancellation
    ending a subscription, contract or membership
    please cancel, I do not want to renew, close my account, stop the service
subscription, upgrade, plan change, subscription plan
    choosing, changing or renewing a plan
sale, sales question, sales inquiry, pre sale, pricing, purchase inquiry, sales enquiry, lead,
pricing question
    interest in buying, questions about prices, offers and plans before a purchase
praise, compliment, thanks, positive feedback, thank you, gratitude, appreciation, kudos
    thanks and compliments for good service or a good product
    thank you so much, wonderful, you made my day, well done
feedback, customer feedback
    what a customer thinks of a product or service
security issue, security incident, account security, data breach
    a suspected hack, leak, stolen account or vulnerability
fraud, scam, suspicious activity, fraudulent
    deception to get money or data, transactions that the owner did not make
outage, downtime, service outage, service down
    a service cannot be reached by anybody
performance, slow performance, speed
    something is slow, hangs or takes too long
installation, setup, configuration, set up, onboarding
    installing, connecting and configuring a product
integration, api
    connecting the product with other programs through an interface
data request, data deletion, privacy request
    access to or deletion of personal data
hardware, hardware issue, device, equipment, hardware problem
    broken or missing devices, laptops, screens, keyboards, printers, headsets and cables
    the screen is black, the battery, the mouse, does not charge
software, software issue, program, software problem
    programs that crash, must be installed, updated or licensed
    Excel, Outlook, app, version, licence, start-up
network, network issue, connectivity, internet connection, network problem, vpn, wifi, wi fi,
internet access
    Wi-Fi, VPN, internet connection, cables, servers and slow or lost connections
    cannot connect, router, offline, drops all the time
access right, permission, access request, authorization, authorisation, access permission
    permission to open a folder, a system or a room
    please give me access, read and write rights, role, forbidden, badge
hr, human resource, personnel, people operation, staff matter, hr question
    employees' holidays, salaries, contracts, sick leave, parental leave and hiring
    payslip, days off, working hours, probation
facility, facility management, building, office, building maintenance, maintenance
    heating, lifts, lights, furniture, cleaning and repairs of the office building
    too hot, broken lamp, desks, doors, toilets and parking
procurement, purchasing
    ordering goods and services for the company
payroll question
    wages, deductions and when they are paid
training, course
    courses and lessons for staff or customers
spam, junk, junk mail, unsolicited, advertising mail
    unwanted mass mail that promises money, prizes, love or cheap pills
    you have won, click here, miracle diet, inheritance of millions
phishing, phishing attempt
    a forged message that wants passwords, card numbers or payments under a pretext
    verify your account now, it will be suspended, enter your PIN, pay a small fee
ham, not spam, legitimate
    an ordinary message between people who know each other or do business
personal, private, friend, family mail, private message
    messages between friends and family about daily life, feelings and meetings
    love, birthday, the kids, miss you, see you at the weekend
meeting request, appointment, meeting, scheduling, invitation, calendar, appointment request,
meeting invitation, schedule meeting
    proposes a date and time to meet or call
    are you free on Tuesday, let us talk, half an hour, room, invitation
out of office, absence, automatic reply, auto reply, vacation notice, autoresponder
    an automatic answer that somebody is away and when they are back
    on holiday, limited access to mail, in urgent cases contact
promotion, promotional, advertising offer, deal, discount
    offers, discounts, vouchers and sales of a shop
notification, alert, system notification, update
    an automatic message that something has happened
social network, social media
    messages and posts of social networks
forum
    discussions of a mailing list or a forum
confirmation
    confirms a booking, an order or a date
request, service request
    asks somebody to do or provide something
urgent, high priority, critical, high urgency, high
    must be dealt with at once, production is down, serious damage, immediately
    emergency, as soon as possible, everything has stopped, deadline today
normal priority, medium priority, medium, normal
    should be dealt with in the usual time
low priority, not urgent, low urgency, low
    a small matter that can wait
    no hurry, cosmetic, whenever you have time
"""

# What people say to assistants and in chats of banks, shops and airlines
INTENTS = """
book flight, flight booking, flight, buy plane ticket
    to book or find a plane ticket to a place
    fly to, one way or return, seat, airline, departure
book hotel, hotel booking, hotel, accommodation, hotel reservation
    to book or find a room in a hotel
book taxi, taxi, ride, call taxi, uber
    to order a taxi or a ride
book train, train ticket
    to book or find a train
car rental, rent car
    to rent a car
restaurant reservation, book restaurant, book table, reserve table, restaurant booking
    to reserve a table at a restaurant
    a table for two at eight, dinner, lunch, brunch
restaurant recommendation, find restaurant, restaurant search
    to find a good place to eat
order food, food order, food delivery
    to have food brought home
check balance, balance, account balance, balance inquiry
    to know how much money is in an account
    how much do I have, my savings, my total
transfer money, transfer, money transfer, send money, bank transfer, make transfer
    to send money to somebody or between accounts
    pay back, move money, wire, send dollars to
pay bill, bill payment
    to pay a bill
card lost, lost card, stolen card, lost or stolen card, report lost card, block card, freeze account
    a bank card was lost or stolen and must be blocked
    I cannot find my card, wallet stolen, freeze it
card arrival, card delivery
    when a new bank card will come
card not working, declined payment, card declined, payment declined
    a card or payment was refused
exchange rate, currency exchange, currency conversion
    what one currency is worth in another
atm, cash withdrawal, withdrawal
    to take out cash from a machine
loan question, apply for loan, mortgage question
    to borrow money and under what conditions
open account, create account, sign up, registration
    to open a new account
close account, delete account
    to close an account for good
change address, update address, change of address
    to change the address that is on file
transaction history, transaction, spending history
    to see past payments
play music, music playback, play song
    to play songs, artists, albums or playlists
    put on some jazz, next song, louder, shuffle
play podcast, podcast
    to play an episode of a podcast
play video, watch tv, play movie
    to play a film or a programme
set alarm, alarm, wake up
    to be woken or rung at a time
    wake me up at seven, alarm clock, snooze
set timer, timer
    to count down a number of minutes
define reminder, set reminder, reminder request, reminder create, remind, add reminder, create reminder
    to be reminded of something at a time or place
    remind me to, do not let me forget, tell me at four to
calendar event, add event, create event, schedule event
    to put an appointment into the calendar
check calendar, calendar query
    to know which appointments there are
todo list, shopping list, list, add to list
    to put things on a list
weather query, get weather, ask weather, weather question
    to know what the weather will be
    will it rain, do I need an umbrella, how cold is it, snow tomorrow
direction, navigation, get direction, route, map
    to find the way to a place
    how do I get to, quickest route, turn left, nearest station
traffic query, traffic information
    to know how the traffic is
translate, translation
    to say a word or sentence in another language
    how do you say, what does it mean in, the French word for
definition, define, dictionary, word meaning
    to know what a word means
turn on light, light, lighting, turn on lights, smart light, light control, turn off light
    to switch lamps on or off, brighter or darker
    it is too dark, dim the bedroom, the porch lamp
thermostat, temperature control, heating
    to make a room warmer or cooler
smart home, home automation, iot
    to control devices at home
turn off, switch off, stop
    to end or switch something off
make call, phone call, call
    to call somebody
send message, text, send text, message
    to write somebody a message
read email, check email, email query
    to have new mail read out
greeting, hello, hi, greet
    somebody says hello
goodbye, farewell, bye
    somebody says goodbye
small talk, chit chat, chat
    talk for its own sake, jokes, how are you
joke, tell joke
    to be told something funny
yes, affirm, confirm, affirmation, agree
    somebody agrees
no, deny, negation, disagree, refuse
    somebody says no
repeat
    to hear something again
talk to human, human agent, agent, speak to human, live agent, human handoff, escalation
    wants to speak with a person instead of a machine
opening hour, business hour, hours, store hour
    when a shop or an office is open
store location, find store, location, branch
    where a place is
product availability, availability, in stock
    whether a thing can be bought now
track order, order tracking
    where an order is now and when it comes
change order, modify order
    to change an order that was placed
price, cost, price question
    what something costs
recommendation, recommend
    to be advised what to choose
flight status
    whether a flight is on time
lost luggage, luggage, baggage, lost baggage
    bags that are lost, late or too heavy
seat, seat selection
    where to sit
check in
    to check in for a flight or at a hotel
date, time, date time, current time
    what date or time it is
news query, latest news
    to hear the news
calculate, calculation, math question
    to compute a number
"""

# Shops, reviews, people
PRODUCTS = """
electronic, consumer electronic, gadget, electronic device, electronic and computer
    phones, computers, cameras, headphones, screens, chargers and cables
    wireless, battery, USB, HDMI, Bluetooth, gigabytes
computer and accessory, laptop, notebook
    laptops, PCs, keyboards, drives and monitors
mobile phone, phone, smartphone, cell phone
    smartphones and what belongs to them
camera, photography, photo
    cameras, lenses, tripods and pictures
clothing, apparel, clothes, fashion and clothing, garment, clothing and fashion
    shirts, trousers, dresses, skirts, jackets, socks and jumpers
    cotton, wool, sleeves, slim fit, sizes
shoe, footwear
    shoes, boots, sandals and trainers
jewelry, jewellery, watch, jewellery and watch
    rings, necklaces, earrings and watches
bag, luggage and bag, accessory
    handbags, rucksacks, suitcases, belts and wallets
home and kitchen, kitchen, kitchenware, household, home good, housewares, kitchen and dining,
home and living, household good
    pans, plates, glasses, bed linen, shelves and things for the household
    dishwasher safe, duvet, chopping board, flask, cookware
furniture
    tables, chairs, sofas, beds and shelves
appliance, home appliance, household appliance
    fridges, washing machines, vacuum cleaners and kettles
beauty, personal care, beauty and personal care, cosmetic, health and beauty, skincare, skin care
    creams, shampoo, make-up, perfume, toothbrushes and shaving
    skin, hair, lipstick, fragrance, nails, beard oil
toy, toys and games, toy and game, kids and toy
    toys, board games, puzzles, dolls and building sets for children
    plush animals, railway, players, ages 3 and up
baby, baby product, baby care
    nappies, prams, bottles and clothes for babies
books and media, audiobook, ebook
    novels, non-fiction, picture books and poems
    paperback, hardcover, pages, author, edition
sports and outdoor, sport and outdoor, sporting good, outdoor, sports equipment, outdoors,
sport and leisure, fitness
    tents, dumbbells, yoga mats, bikes, rackets and gear for training and hiking
    trekking, swimming, camping, cycling, fitness
pet supply, pet, pet product, pet care, animal supply
    food and things for dogs, cats, fish, birds and rabbits
    kibble, litter, scratching post, lead, aquarium
grocery, groceries, food product, grocery and gourmet food, supermarket
    coffee, rice, pasta, chocolate, nuts, oil and other food and drink from a shop
    organic, 500 g, beans, roasted, bottles
beverage, drink
    coffee, tea, juice, beer, wine and water
tool, hardware tool, tools and home improvement, diy and tool
    drills, hammers, screws, paint and repair materials
garden, garden and outdoor, patio and garden, plant
    plants, seeds, mowers, pots and garden furniture
office supply, stationery, office product
    paper, pens, folders, printers and desks
automotive part, car part, car accessory
    tyres, oil, seat covers and spare parts for cars
musical instrument, instrument
    guitars, pianos, drums, strings and amplifiers
software product
    programs and licences
gift card, voucher
    cards and codes that are worth money in a shop
medicine and supplement, vitamin, pharmacy, supplement, health product
    tablets, vitamins, plasters and health aids
jewel
    gold, silver and stones
positive, good, positive review, positive sentiment, favourable, favorable, satisfied, happy customer
    happy, satisfied, praises it, recommends it
    somebody is pleased with it, enjoyed it and would come back
negative, bad, negative review, negative sentiment, unfavourable, unfavorable, dissatisfied,
unhappy customer
    unhappy, dissatisfied, complains about it, problems and defects
    somebody is annoyed by it, regrets it and advises against it
neutral, mixed, objective, neutral sentiment, neither
    plain facts without praise or blame, average, as described
    somebody finds it neither good nor bad, or cannot say yet
very positive, excellent, outstanding
    absolutely perfect, the best ever, I am delighted
very negative, terrible, awful
    absolutely horrible, the worst ever, I am furious
joy, happiness, happy
    I am so happy, delighted and glad, this is wonderful
sadness, sad, grief
    I am so sad, I cried, I miss them and feel lost
anger, angry, annoyance
    I am furious, this makes me so angry, it is an outrage
fear, anxiety, worry, nervousness
    I am afraid, scared and worried, I am so nervous
surprise, surprised
    I did not expect that at all, wow, I cannot believe it
disgust
    this is disgusting and revolting, it makes me sick
love, affection
    I love you, you are so dear to me, thinking of you with tenderness
trust, confidence
    somebody relies on it and believes
frustration, frustrated
    I have tried again and again, nothing works and I give up
confusion, confused
    I do not understand, what does it mean, I am confused
sarcasm, irony
    the opposite of what is said is meant
toxic, abusive, hate speech, insult, offensive, harassment, hateful, abuse
    insults, threats and contempt for persons or groups
non toxic, harmless, safe, acceptable
    polite and harmless talk
adult content, sexual content, nsfw
    sexual words and scenes
violence, violent
    fights, weapons, blood and threats
self harm
    thoughts of hurting or killing oneself
fact, factual, objective statement
    a statement that can be checked
subjective
    a personal judgement or feeling
staff, service, employee, staff and service, personnel service, friendliness
    waiters, receptionists and other employees, friendly or rude, helpful or not
price and value, value, value for money, cost and value
    what it costs and whether it is worth the money
    cheap, expensive, fee, fair price
quality, product quality, workmanship
    how well it is made, materials, durability and defects
cleanliness, hygiene, clean
    how clean or dirty it is, dust, stains, smell, fresh towels
noise, quiet, noise level
    loud or quiet, street noise, thin walls, sleep
location and surrounding, surroundings, position
    where it is, near the centre, the beach, the station or far from everything
comfort, room, bed
    rooms, beds, seats and how comfortable they are
ambience, atmosphere, decor
    how a place looks and feels
ease of use, usability, user interface, ui
    how easy or hard it is to use
design, appearance, look
    how it looks, its shape and colours
battery, battery life
    how long the battery lasts
display, screen
    how sharp and bright the screen is
sound, audio, sound quality
    how it sounds
size, fit, size and fit
    whether it is too big, too small or fits
packaging
    how it was packed
delivery experience
    how fast and well it was delivered
"""

SECTIONS = (NEWS, DOCUMENTS, TICKETS, INTENTS, PRODUCTS)

# Names that stand for what no other label fits.
CATCH_ALL = {
    "other", "miscellaneous", "misc", "general", "none", "unknown", "else", "rest", "uncategorized",
    "various", "unclear", "undefined", "unclassified", "irrelevant",
    "none of these", "none of the above", "something else", "not applicable", "n a", "everything else", "no label",
    "no category", "out of scope", "off topic", "anything else", "all other", "other topic", "other category",
}  # fmt: skip
