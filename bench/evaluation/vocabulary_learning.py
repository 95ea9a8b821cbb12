"""The vocabulary of the chats that weights are learned from. Invented."""

# phrases read better unbroken
from bench.evaluation.topics import Detail, Topic, Vocabulary

TOPICS = (
    Topic(
        "dog",
        "with the {animal}",
        ("What did {P} find at the shelter?", "Which animal left at the rescue centre did {P} take in?"),
        {
            "animal": (
                "greyhound",
                "beagle puppy",
                "three-legged cat",
                "grey parrot",
                "pair of rabbits",
                "old tortoise",
            ),
            "pet": ("Biscuit", "Olive", "Captain", "Pepper", "Marlow", "Juniper"),
            "trick": (
                "open the fridge",
                "ring a bell to go out",
                "steal socks from the laundry",
                "sleep upside down on the couch",
            ),
        },
        (
            "I went to the shelter just to look around and came home with a {animal}!",
            "There's a new member of the family here: a {animal} that somebody had left at the rescue centre.",
            "We did it, we took in a {animal}. The house is chaos but I'm so happy.",
        ),
        (
            "Which animal did {P} adopt?",
            "What kind of pet does {P} have?",
            "What did {P} bring home from the rescue?",
        ),
        (
            Detail(
                ("Aww! What did you call it?", "Have you picked a name yet?", "So cute. And the name?"),
                (
                    "{pet}. My sister suggested it and it stuck.",
                    "It took us three evenings, but {pet} it is.",
                    "We settled on {pet}, after a character in a book.",
                ),
                ("What is {P}'s pet called?", "What name did {P} choose for the pet?"),
            ),
            Detail(
                ("Any funny habits so far?", "Is it behaving at all?", "I bet there's mischief already?"),
                (
                    "You won't believe it: it has learned to {trick}.",
                    "Well, this week's discovery is how to {trick}. I can't even be cross.",
                    "Mostly an angel, except for having worked out how to {trick}.",
                ),
                ("What mischief does {P}'s pet get up to?", "What has {P}'s animal learned to do?"),
            ),
        ),
        (
            "A {animal}! I'm melting. You always wanted an animal around.",
            "Oh how lovely, pets make a home. I'd adopt a {animal} in a heartbeat if my landlord let me.",
            "The shelter people must have been delighted to see you.",
        ),
        (
            "Thanks for asking about the little one, pets really are good for the soul.",
            "Nothing new with the animals here, just a lot of hair on the sofa.",
        ),
        ("When did {P} adopt the pet?", "When did {P} visit the shelter?"),
        group="household",
    ),
    Topic(
        "pottery",
        "in the {craft} course",
        (
            "Which course did {P} sign up for at the community centre?",
            "What class does {P} have on Tuesday evening?",
        ),
        {
            "craft": (
                "pottery",
                "bookbinding",
                "stained glass",
                "wood carving",
                "weaving",
                "silver jewellery",
            ),
            "made": (
                "a lopsided bowl with a fish on it",
                "a tiny lamp",
                "a box for my grandmother's letters",
                "a spoon that actually works",
                "a blue and white vase",
            ),
            "why": (
                "it keeps my hands busy and my head quiet",
                "my grandfather used to do it",
                "I needed something without a screen",
                "the doctor told me to slow down",
            ),
        },
        (
            "I signed up for a {craft} course at the community centre.",
            "Guess who has started {craft}? Every Tuesday evening, in a cellar full of dust.",
            "I've begun learning {craft}, my first class was a delight.",
        ),
        (
            "What course is {P} taking?",
            "Which craft has {P} taken up?",
            "What new skill is {P} learning in the evenings?",
        ),
        (
            Detail(
                (
                    "And what have you produced so far?",
                    "Do you have something to show?",
                    "Ooh, what was the first piece?",
                ),
                (
                    "So far only {made}, but I'm proud of it.",
                    "{made}! It's on the window sill now.",
                    "I gave my mum {made}. She pretended to love it.",
                ),
                ("What did {P} make with their own hands?", "What object did {P} create in the class?"),
            ),
            Detail(
                ("What made you try that?", "Why that, of all things?", "How come?"),
                ("Honestly, {why}.", "I suppose because {why}.", "Hard to say... {why}, mostly."),
                ("Why did {P} take up a craft?", "What motivated {P} to start making things?"),
            ),
        ),
        (
            "{craft}, how wonderful! I admire people who make things.",
            "That's so creative. A course would do me good as well.",
            "You with tools in your hands, I need to see pictures of that class.",
        ),
        (
            "Class was cancelled this week, so no news from the workshop.",
            "Still creative over there? I keep telling everybody about your course.",
        ),
        ("When did {P} start the course?", "When did {P} have the first class?"),
        group="hobby",
    ),
    Topic(
        "running",
        "after {race}",
        ("Which race did {P} run and finish?", "What did {P} take part in and cross the finish line of?"),
        {
            "race": (
                "the harbour half marathon",
                "a 10k through the vineyards",
                "the city marathon",
                "a night run around the lake",
                "a charity run for the hospice",
            ),
            "result": (
                "just under two hours",
                "in 54 minutes",
                "dead last but smiling",
                "with a personal best by four minutes",
            ),
            "pain": ("my left knee", "a blister the size of a coin", "shin splints", "my hip"),
        },
        (
            "I ran {race}! My legs are jelly.",
            "So, I've crossed a finish line: I took part in {race}.",
            "Still can't believe it, I actually finished {race}.",
        ),
        (
            "Which race did {P} take part in?",
            "What sporting event did {P} complete?",
            "What distance event did {P} finish?",
        ),
        (
            Detail(
                ("How did it go?", "And the time?", "Were you fast?"),
                (
                    "I came in {result}.",
                    "{result}, if you can believe that.",
                    "Better than I feared: {result}.",
                ),
                ("How well did {P} do in the race?", "What was {P}'s result?"),
            ),
            Detail(
                ("Did everything hold together?", "Any injuries?", "How's the body today?"),
                (
                    "Mostly, apart from {pain}.",
                    "{pain} is killing me, otherwise fine.",
                    "I'm icing {pain} as we speak.",
                ),
                (
                    "What injury did {P} suffer while running?",
                    "Which part of the body bothered {P} after the event?",
                ),
            ),
        ),
        (
            "Look at you, an athlete! I get out of breath on the stairs.",
            "Finishing is what counts. I'd need a bus for {race}.",
            "Congratulations, all that training was worth it!",
        ),
        (
            "No training this week, the rain was too much for me.",
            "I keep thinking of signing up for another race, but not yet.",
        ),
        ("When did {P} run the race?", "When was {P}'s race?"),
        group="hobby",
    ),
    Topic(
        "employer",
        "at {firm}",
        ("Who is {P} working for according to the contract?", "Which place took {P} on for the job?"),
        {
            "firm": (
                "the city library",
                "a solar panel start-up",
                "St. Anne's hospital",
                "a small publishing house",
                "the aquarium",
                "a bicycle factory",
            ),
            "role": (
                "a night-shift coordinator",
                "a data analyst",
                "the new head of events",
                "an apprentice technician",
                "a fundraiser",
            ),
            "like": (
                "the colleagues bring cake every Friday",
                "I can walk there in ten minutes",
                "nobody phones me after five",
                "I finally get to decide something",
            ),
        },
        (
            "Big news about my career: I'm working for {firm} these days.",
            "I got the job! {firm} took me on.",
            "They called me back, and I've signed the contract with {firm}.",
        ),
        ("Where does {P} work?", "Who is {P}'s employer?", "Which organisation hired {P}?"),
        (
            Detail(
                ("What will you be doing there?", "As what?", "What's the title?"),
                (
                    "As {role}. It's a step up.",
                    "They want me as {role}.",
                    "I'll be {role}, whatever that turns out to mean.",
                ),
                ("What is {P}'s profession?", "What position does {P} hold?"),
            ),
            Detail(
                ("What's the best part?", "And do you enjoy it?", "Are you happy there?"),
                (
                    "Very. Above all, {like}.",
                    "I love that {like}.",
                    "You know what convinced me? That {like}.",
                ),
                ("What does {P} like about the job?", "What does {P} enjoy at the workplace?"),
            ),
        ),
        (
            "Congratulations on the new job! {firm} is lucky to have you.",
            "That's huge for your career. Work has been slow on my side.",
            "Finally! You deserve a proper contract after all those applications.",
        ),
        ("Work is work, same as always. Nothing to report.", "Long day at the office, I'm just tired."),
        ("When did {P} get the job?", "When did {P} sign the contract?"),
        (
            "I've changed employers, by the way. I handed in my notice and moved on to {firm}.",
            "Plot twist: I left my old place and now I'm at {firm}.",
            "Can you believe I switched jobs again? It's {firm} from this month on.",
        ),
        ("Where does {P} work now?", "Who is {P}'s current employer?"),
        group="",
    ),
    Topic(
        "home",
        "in {place}",
        ("Where has {P} settled with all those boxes?", "Where did {P} move and find an apartment?"),
        {
            "place": (
                "Lisbon",
                "a village near Ghent",
                "the old town of Graz",
                "Aarhus",
                "a farmhouse in Devon",
                "Trieste",
            ),
            "flat": (
                "a balcony over a canal",
                "a kitchen the size of a stamp",
                "four flights of stairs and no lift",
                "a garden full of nettles",
                "a bathtub in the living room",
            ),
            "miss": ("the sound of the trains", "my bakery on the corner", "the sea", "our Thursday dinners"),
        },
        (
            "All the boxes are here: I've settled in {place}.",
            "We found an apartment! I'm living in {place} at last.",
            "I moved to {place}, and I have blisters from carrying books.",
        ),
        ("Where does {P} live?", "Which town did {P} move to?", "What place does {P} call home?"),
        (
            Detail(
                ("What's the flat like?", "Tell me about the rooms!", "Is it nice inside?"),
                (
                    "It has {flat}.",
                    "Imagine {flat}. That's my home.",
                    "Well... {flat}. But the light is beautiful.",
                ),
                ("What is special about {P}'s apartment?", "What does {P}'s home have?"),
            ),
            Detail(
                ("Do you miss anything?", "Homesick at all?", "No regrets?"),
                (
                    "A little: {miss}.",
                    "I do miss {miss}, more than I expected.",
                    "Only {miss}. Otherwise I'm fine.",
                ),
                ("What does {P} miss since moving?", "What is {P} homesick for?"),
            ),
        ),
        (
            "{place}! I have to visit as soon as the guest bed is up.",
            "Moving is the worst, but you'll love it there.",
            "A home of your own, finally. I'm thinking of moving too some day.",
        ),
        ("The flat is slowly turning into a home.", "The neighbours are loud again, you know how it is."),
        ("When did {P} move?", "When did {P} change towns?"),
        (
            "So much for staying put: I've packed up once more and live in {place} now.",
            "We gave up the apartment. My new address is in {place}.",
            "I've moved again! This time to {place}.",
        ),
        ("Where does {P} live now?", "In which town is {P} living at present?"),
        group="",
    ),
    Topic(
        "journey",
        "in {where}",
        ("What trip did {P} take pictures of?", "Where did {P} spend ten days?"),
        {
            "where": (
                "Iceland",
                "the Dolomites",
                "Kyoto",
                "the Scottish islands",
                "Morocco",
                "Georgia and Armenia",
                "Patagonia",
                "Crete",
            ),
            "how": (
                "by night train",
                "on a borrowed motorbike",
                "with only a small backpack",
                "in a camper van with no heating",
                "with my two aunts",
            ),
            "saw": (
                "whales, from a kayak",
                "a wedding we weren't invited to",
                "the northern lights",
                "a monastery cut into the rock",
                "an old man who sings to his goats",
            ),
        },
        (
            "I'm back from {where} and still dreaming of it.",
            "My trip to {where} was out of this world.",
            "You should see my pictures, I've spent ten days in {where}.",
        ),
        (
            "Which country or region did {P} travel to?",
            "Where did {P} spend the holidays?",
            "What destination did {P} visit?",
        ),
        (
            Detail(
                ("How did you travel?", "Was it comfortable?", "Did you fly?"),
                (
                    "No, {how}. Never again. Or maybe again tomorrow.",
                    "We went {how}.",
                    "{how}, would you believe it.",
                ),
                ("How did {P} get around on the trip?", "What transport did {P} use on holiday?"),
            ),
            Detail(
                ("What was the highlight?", "Best moment?", "What will you remember?"),
                (
                    "Definitely {saw}.",
                    "We came across {saw}. I cried a bit.",
                    "I'd say {saw}, on the very last day.",
                ),
                (
                    "What was the highlight of {P}'s vacation?",
                    "What memorable sight did {P} come across while travelling?",
                ),
            ),
        ),
        (
            "{where} has been on my list for ages. I'm green with envy.",
            "Travelling is the best education. I need a holiday so badly.",
            "What a trip! You look so relaxed in the pictures.",
        ),
        (
            "No travel plans at the moment, I'm saving money.",
            "I looked at the holiday pictures again last night, it feels like years ago.",
        ),
        ("When did {P} go on the trip?", "When was {P} in {where}?"),
        group="trips",
    ),
    Topic(
        "book",
        "in {title}",
        ("Which book did {P} get from the library?", "Of which book did {P} read the last pages at three?"),
        {
            "title": (
                "The Salt Road",
                "A Winter of Owls",
                "Letters to a Lighthouse",
                "The Ninth Orchard",
                "Small Gods of the Tram",
                "How Rivers Think",
            ),
            "about": (
                "two sisters who smuggle seeds over a border",
                "a town that forgets one word a day",
                "the history of maps",
                "a detective who is afraid of water",
                "a beekeeper in wartime",
            ),
            "felt": (
                "it made me call my father",
                "I missed my stop twice",
                "I threw it across the room at the end",
                "I want to read it again at once",
            ),
        },
        (
            "I've just finished {title} and I have nobody to talk to about it.",
            "I stayed up till three to read the last pages of {title}.",
            "Do you know {title}? I got it from the library and devoured it.",
        ),
        ("What has {P} been reading?", "Which novel did {P} finish?", "What book kept {P} awake?"),
        (
            Detail(
                ("What is it about?", "Never heard of it. The story?", "Is it a novel?"),
                (
                    "It's about {about}.",
                    "{about}, in a nutshell.",
                    "Think of {about}. It's better than it sounds.",
                ),
                ("What is the story that {P} read about?", "What is the subject of {P}'s book?"),
            ),
            Detail(
                ("And you liked it?", "Would you recommend it?", "Did it move you?"),
                ("Let's say {felt}.", "Oh yes, {felt}.", "Put it this way: {felt}."),
                ("How did {P} react to the book?", "What effect did the reading have on {P}?"),
            ),
        ),
        (
            "{title} goes on my pile. I read far too little.",
            "You and your books! Your shelves must be collapsing.",
            "I love a good read on a rainy day.",
        ),
        ("I haven't opened a book in weeks, shame on me.", "My reading pile only grows."),
        ("When did {P} finish the book?",),
        group="books",
    ),
    Topic(
        "instrument",
        "on the {instrument}",
        ("Which second-hand instrument did {P} buy?", "What has {P} started playing in the living room?"),
        {
            "instrument": ("cello", "accordion", "drums", "ukulele", "trumpet", "harp"),
            "piece": (
                "a lullaby from Galicia",
                "the first half of Autumn Leaves",
                "an old sea shanty",
                "a tango in the wrong tempo",
            ),
            "teacher": (
                "a retired opera conductor",
                "the neighbour's teenage son",
                "videos on the internet",
                "a very strict lady called Mrs. Novak",
            ),
        },
        (
            "I bought a second-hand {instrument} and the neighbours hate me.",
            "After all these years I've started playing the {instrument}.",
            "There's a {instrument} in my living room now and I practise daily.",
        ),
        (
            "What instrument does {P} play?",
            "What kind of music-making does {P} do?",
            "Which instrument did {P} purchase?",
        ),
        (
            Detail(
                ("What can you play?", "Any tune yet?", "Play me something!"),
                (
                    "{piece}, if you close one ear.",
                    "I can nearly get through {piece}.",
                    "At the moment it's {piece}, over and over.",
                ),
                ("Which tune can {P} perform?", "What song is {P} practising?"),
            ),
            Detail(
                ("Who teaches you?", "Are you taking lessons?", "By yourself?"),
                ("I learn from {teacher}.", "{teacher}, twice a week.", "I found {teacher}. We get on well."),
                ("From whom does {P} take lessons?", "Who is {P}'s music teacher?"),
            ),
        ),
        (
            "Music in the house, how lovely. I gave up the piano at twelve.",
            "A {instrument}! Will there be a concert?",
            "Practice makes perfect, as my music teacher used to say.",
        ),
        ("My fingers hurt from practising, but it's a good pain.", "No concert yet, the music has to wait."),
        ("When did {P} buy the instrument?", "When did {P} begin to play music?"),
        group="hobby",
    ),
    Topic(
        "food",
        "now that I'm {diet}",
        ("What did {P} become, to tell before dinner?", "How did {P} decide to change eating?"),
        {
            "diet": ("vegetarian", "gluten-free", "off sugar", "off coffee", "a strict no-dairy eater"),
            "dish": (
                "mushroom risotto",
                "chickpea stew with lemon",
                "my aunt's walnut dumplings",
                "cold noodles with sesame",
            ),
            "reason": (
                "the blood test was a warning",
                "my stomach had enough",
                "I watched a film about farming",
                "I lost a bet with my brother",
            ),
        },
        (
            "Don't be shocked when you come for dinner: I've become {diet}.",
            "I'm {diet} now, it's been harder than I thought.",
            "So I decided to change how I eat. I'm {diet}.",
        ),
        (
            "What are {P}'s dietary habits?",
            "How did {P} change their eating?",
            "What does {P} avoid or follow when it comes to food?",
        ),
        (
            Detail(
                ("What do you cook then?", "So what's on the table?", "And what do you live on?"),
                (
                    "Mostly {dish}.",
                    "You have to try my {dish}, seriously.",
                    "I've made {dish} four times this week.",
                ),
                ("What does {P} cook a lot?", "What is {P}'s signature dish?"),
            ),
            Detail(
                ("What brought this on?", "Why the change?", "Was it the doctor?"),
                ("{reason}.", "Long story short, {reason}.", "You'll laugh, but {reason}."),
                ("Why did {P} change their diet?", "What was the reason for {P}'s new eating habits?"),
            ),
        ),
        (
            "Good for you! I could never give up anything, food is my weakness.",
            "Eating well is half of health.",
            "My cousin is {diet} too and swears by it.",
        ),
        ("I ate far too much this weekend, as usual.", "Dinner was leftovers again, nothing special."),
        ("When did {P} change the diet?",),
        (
            "I gave up on my old rules at the table. These days I'm {diet} instead.",
            "New chapter in my kitchen: scratch what I told you, I'm {diet} now.",
            "You remember my diet? That's over, now I'm {diet}.",
        ),
        ("What is {P}'s diet now?", "How does {P} eat at present?"),
        group="",
    ),
    Topic(
        "volunteering",
        "at {cause}",
        ("Where has {P} started helping out?", "Who does {P} volunteer for on Sundays?"),
        {
            "cause": (
                "the food bank",
                "a refugee language café",
                "the mountain rescue",
                "a home for retired donkeys",
                "the night shelter",
            ),
            "task": (
                "sort donated clothes",
                "teach grammar to three teenagers",
                "drive the van on Sundays",
                "peel a hundred potatoes",
                "answer the phone",
            ),
            "met": (
                "an old sailor who knows every star",
                "a woman who used to be a judge",
                "a boy who wants to be a pilot",
                "twins who finish each other's jokes",
            ),
        },
        (
            "I've started helping out at {cause}.",
            "I decided to give something back, so I volunteer for {cause}.",
            "My Sundays belong to {cause} now. It's unpaid and I love it.",
        ),
        (
            "Which charity does {P} support?",
            "What cause does {P} give their free time to?",
            "Where does {P} do unpaid work?",
        ),
        (
            Detail(
                ("What do they have you do?", "What's your task?", "And what does that involve?"),
                ("I {task}.", "They let me {task}. It's humbling.", "Mainly I {task}, and drink tea."),
                ("What are {P}'s duties as a volunteer?", "What does {P} do for the charity?"),
            ),
            Detail(
                ("Do you meet interesting people?", "Who else is there?", "Made friends?"),
                ("I met {met}.", "There's {met}. We talk for hours.", "You'd love {met}."),
                (
                    "Whom did {P} get to know while volunteering?",
                    "Which remarkable person did {P} meet while helping?",
                ),
            ),
        ),
        (
            "That's so generous of you. The world needs more volunteers.",
            "I should help somewhere too, I keep saying it.",
            "People at {cause} do amazing work.",
        ),
        (
            "We're short of volunteers again, if you know someone.",
            "Helping others is tiring but it gives so much back.",
        ),
        ("When did {P} start volunteering?",),
        group="community",
    ),
    Topic(
        "protest",
        "with {group}",
        ("What did {P} join and go to a meeting of?", "What did they talk {P} into becoming a member of?"),
        {
            "group": (
                "the river clean-up",
                "the neighbourhood choir",
                "a cyclists' council",
                "the school parents' board",
                "an urban gardening circle",
            ),
            "goal": (
                "get the old mill restored",
                "plant forty trees along the canal",
                "stop the parking garage",
                "raise money for a new roof",
            ),
        },
        (
            "I joined {group}, somebody has to do it.",
            "There's a meeting tonight: I've become a member of {group}.",
            "They talked me into it, I'm with {group} now.",
        ),
        ("Which association did {P} join?", "What local group is {P} a member of?"),
        (
            Detail(
                ("What are you up to there?", "And the plan?", "What do you want to achieve?"),
                ("We want to {goal}.", "First of all, {goal}.", "Our aim this year is to {goal}."),
                ("What does {P}'s group want to achieve?", "What project is {P}'s association planning?"),
            ),
        ),
        (
            "Local groups change more than politicians. Well done!",
            "Meetings, meetings... but it's worth it.",
            "I admire how you get involved.",
        ),
        ("The meeting went on for hours, as always.", "Committee business, you don't want to know."),
        ("When did {P} join the group?",),
        group="community",
    ),
    Topic(
        "sister",
        "since {relative} {event}",
        ("What happened to {relative} of {P}, and why happy tears?", "Who in the family of {P} {event}?"),
        {
            "relative": ("my sister", "my brother", "my cousin Ines", "my niece", "my oldest friend"),
            "event": (
                "got engaged to a baker",
                "had twins",
                "got into medical school",
                "opened a tiny cinema",
                "came out of hospital",
            ),
            "gift": (
                "a hand-sewn quilt",
                "tickets to the opera",
                "a lemon tree",
                "an album with photos of us as kids",
            ),
        },
        (
            "{relative} {event}! I've been crying happy tears.",
            "Did I tell you? {relative} {event}.",
            "What a week: {relative} {event}, and the whole family is upside down.",
        ),
        ("What happened in {P}'s family?", "What good news did {P} have about someone close?"),
        (
            Detail(
                ("Are you giving them something?", "What's the present?", "How will you celebrate?"),
                ("I thought of {gift}.", "{gift}. It took me ages to find.", "We all chipped in for {gift}."),
                ("What present did {P} choose?", "What gift did {P} get for a loved one?"),
            ),
        ),
        (
            "How wonderful, give my love to everyone!",
            "Family news is the best news. Mine is quiet.",
            "Oh, I remember you telling me about them!",
        ),
        ("Family dinner on Sunday, as usual too much noise.", "My folks send their regards."),
        ("When did {P} get the family news?",),
        group="household",
    ),
    Topic(
        "health",
        "after I {trouble}",
        ("Why was {P} at the hospital?", "Why was {P} silent that week?"),
        {
            "trouble": (
                "broke my wrist",
                "got a tooth pulled",
                "had my appendix out",
                "was told I have asthma",
                "sprained my ankle",
            ),
            "cause": (
                "I slipped on the ice in front of the bakery",
                "I ignored it for months",
                "a ladder and a lot of optimism",
                "bad luck, the doctor said",
            ),
            "help": (
                "swimming every morning",
                "breathing exercises",
                "a very expensive pillow",
                "a physiotherapist with iron hands",
            ),
        },
        (
            "Not my best week, I {trouble}.",
            "You'll never guess where I've been: at the hospital. I {trouble}.",
            "Sorry for being silent, I {trouble}.",
        ),
        (
            "What medical problem did {P} have?",
            "Why did {P} need a doctor?",
            "What happened to {P}'s health?",
        ),
        (
            Detail(
                ("Oh no! How did that happen?", "Good heavens, how?", "What on earth did you do?"),
                ("{cause}.", "Simple: {cause}.", "I'm embarrassed to say: {cause}."),
                ("How did {P} get hurt?", "What led to {P}'s medical problem?"),
            ),
            Detail(
                ("Is it getting better?", "What helps?", "Can you do anything about it?"),
                ("What helps is {help}.", "I swear by {help}.", "Slowly, thanks to {help}."),
                ("What does {P} do to recover?", "What helped {P} feel better?"),
            ),
        ),
        (
            "Poor you! Get well soon, and no heroics.",
            "Health comes first. Call me if you need groceries.",
            "Ouch. I hate hospitals.",
        ),
        (
            "Feeling all right again, thanks for asking about my health.",
            "The doctor is happy with me, no drama.",
        ),
        ("When did {P} have the accident or illness?", "When was {P} at the hospital?"),
    ),
    Topic(
        "garden",
        "with the {plant}",
        ("What did {P} plant on the roof?", "What is {P} growing on the allotment?"),
        {
            "plant": ("tomatoes", "sunflowers", "a fig tree", "purple carrots", "climbing beans", "lavender"),
            "enemy": ("slugs", "a very bold pigeon", "the neighbour's cat", "hail", "moles"),
        },
        (
            "I've got soil under my nails: I planted {plant} on the roof.",
            "The allotment is coming along, this year I'm growing {plant}.",
            "Spent all day outside putting in {plant}.",
        ),
        ("What does {P} grow?", "Which plants did {P} put in the ground?"),
        (
            Detail(
                ("Does it grow well?", "Any trouble?", "No pests?"),
                ("It would, were it not for {enemy}.", "I'm at war with {enemy}.", "{enemy} got half of it."),
                ("What threatens {P}'s plants?", "What damages {P}'s garden?"),
            ),
        ),
        (
            "Fresh from the garden, nothing beats that!",
            "I kill every plant I touch.",
            "Green fingers! I only have a cactus.",
        ),
        ("The garden can wait until the weather is better.", "Watering, weeding, watering... the usual."),
        ("When did {P} do the planting?",),
        group="hobby",
    ),
    Topic(
        "car",
        "with {vehicle}",
        ("What did {P} finally buy to be mobile?", "What is outside of {P}'s window?"),
        {
            "vehicle": ("an electric scooter", "a rusty van", "a cargo bike", "a tiny red car", "a canoe"),
            "price": (
                "for the price of a good dinner",
                "with the money from my grandmother",
                "in twelve instalments",
                "in exchange for my old camera",
            ),
        },
        (
            "I'm mobile again! I got myself {vehicle}.",
            "Look out of the window: {vehicle}, and it's mine.",
            "I finally bought {vehicle}.",
        ),
        ("What vehicle did {P} buy?", "How does {P} get around town?", "What did {P} purchase to be mobile?"),
        (
            Detail(
                ("Wasn't that expensive?", "How did you pay for it?", "Could you afford it?"),
                ("I got it {price}.", "{price}, no less.", "It was a bargain: {price}."),
                ("How did {P} pay for the vehicle?", "What did the vehicle cost {P}?"),
            ),
        ),
        (
            "Take me for a ride soon!",
            "Freedom on wheels. I'm stuck with the bus.",
            "{vehicle}? That's so you.",
        ),
        ("The traffic today was unbearable.", "I took the bus again, don't ask."),
        ("When did {P} buy the vehicle?",),
        (
            "The old one gave up the ghost, so I sold it and ride {vehicle} now.",
            "I traded in what I had and drive {vehicle} these days.",
        ),
        ("What vehicle does {P} have now?",),
    ),
    Topic(
        "fear",
        "with my fear of {fear}",
        ("What is {P} terrified of?", "What fear do {P} and the therapist work on?"),
        {
            "fear": (
                "speaking in front of people",
                "deep water",
                "flying",
                "dogs, of all things",
                "driving at night",
            ),
            "step": (
                "gave a speech at a wedding",
                "went diving in a quarry",
                "booked a flight to see my aunt",
                "walked my neighbour's shepherd",
                "drove to the coast after dark",
            ),
        },
        (
            "I never told you this, but I'm terrified of {fear}.",
            "My therapist and I are working on my fear of {fear}.",
            "Everyone thinks I'm brave, yet {fear} scares me to death.",
        ),
        ("What is {P} afraid of?", "What frightens {P}?", "Which phobia does {P} have?"),
        (
            Detail(
                ("Have you tried facing it?", "What do you do about it?", "Any progress?"),
                ("Baby steps: I {step}.", "I {step}, shaking like a leaf.", "Believe it or not, I {step}."),
                ("How did {P} face the fear?", "What brave step did {P} take?"),
            ),
        ),
        (
            "Everyone is scared of something. Thank you for telling me.",
            "That takes courage to say.",
            "I'd never have guessed, you seem so calm.",
        ),
        ("I'm a bit anxious today, no particular reason.", "Deep breaths, as we say."),
    ),
    Topic(
        "film",
        "at the film",
        ("What did {P} watch at the open-air cinema?", "What did {P} see on movie night?"),
        {
            "film": (
                "a documentary on lighthouse keepers",
                "an old western",
                "a four-hour film about bread",
                "that animated film with the fox",
            ),
            "with": (
                "my ex, of all people",
                "my whole class",
                "a stranger who lent me her umbrella",
                "my dad",
            ),
        },
        (
            "I saw {film} at the open-air cinema.",
            "Movie night! We watched {film}.",
            "I've been to the pictures: {film}.",
        ),
        ("What movie did {P} watch?", "What was on the screen when {P} went to the cinema?"),
        (
            Detail(
                ("Who did you go with?", "Alone?", "In good company?"),
                ("With {with}.", "I went with {with}, long story.", "{with} came along."),
                ("Who accompanied {P} to the film?", "Who was {P}'s company at the movies?"),
            ),
        ),
        (
            "I haven't been to the cinema in years.",
            "Popcorn included, I hope?",
            "A movie is just what I need.",
        ),
        ("Nothing good on TV tonight.", "We fell asleep in front of a film again."),
        ("When did {P} go to the cinema?",),
    ),
    Topic(
        "degree",
        "in {study}",
        ("What did the university accept {P} for?", "What did {P} enrol in as a student?"),
        {
            "study": (
                "marine biology",
                "a diploma in accounting",
                "sign language",
                "landscape architecture",
                "the history of science",
            ),
            "exam": ("statistics", "the oral exam", "organic chemistry", "the final essay"),
            "plan": (
                "teach in a village school",
                "work abroad for a year",
                "start my own studio",
                "write a guide book",
            ),
        },
        (
            "I'm a student again! I enrolled in {study}.",
            "The university accepted me for {study}.",
            "From autumn on I'm studying {study}.",
        ),
        ("What is {P} studying?", "Which field of education did {P} choose?", "What degree is {P} pursuing?"),
        (
            Detail(
                ("Is it hard?", "What's the toughest part?", "How are the exams?"),
                ("I'm afraid of {exam}.", "{exam} nearly finished me.", "Fine, except {exam}."),
                ("Which subject gives {P} trouble?", "What exam does {P} dread?"),
            ),
            Detail(
                ("And after that?", "What's the goal?", "What will you do with it?"),
                ("I'd like to {plan}.", "One day I want to {plan}.", "The dream is to {plan}."),
                ("What are {P}'s plans after graduating?", "What would {P} like to do in the future?"),
            ),
        ),
        (
            "You'll be the oldest and the best in class!",
            "Learning never ends. I miss my student days.",
            "{study}! I wouldn't understand a word.",
        ),
        ("I have to study all weekend, send chocolate.", "Exams are far away, I pretend."),
        ("When did {P} enrol?", "When did {P} begin to study?"),
    ),
    Topic(
        "partner",
        "with {mate}",
        ("Who is {P} seeing?", "Who is together with {P} in life?"),
        {
            "mate": (
                "Tomas",
                "Yuki",
                "a marine engineer called Sven",
                "Paloma from the bakery",
                "my neighbour Idris",
            ),
            "where": (
                "in the queue at the post office",
                "at a salsa evening",
                "on a delayed train",
                "through my dentist",
            ),
        },
        (
            "I'm seeing someone. {mate}. There, I said it.",
            "There is somebody in my life: {mate}.",
            "So... {mate} and I are together.",
        ),
        ("Who is {P} dating?", "Who is {P}'s partner?", "With whom is {P} in a relationship?"),
        (
            Detail(
                ("How did you two meet?", "Where did that happen?", "Tell me everything!"),
                ("We met {where}.", "{where}, like in a film.", "It began {where}."),
                ("How did {P} meet the new partner?", "Where did {P}'s romance begin?"),
            ),
        ),
        (
            "I'm so happy for you! Love suits you.",
            "Finally, romance! My love life is a desert.",
            "When do I get to meet this person?",
        ),
        (
            "We spent the evening on the sofa, very romantic.",
            "Love is complicated, let's talk about something else.",
        ),
        ("When did {P} start the relationship?",),
        (
            "It ended, I'm fine. And there's news: I'm with {mate} now.",
            "That story is over. These days it's {mate} and me.",
        ),
        ("Who is {P} together with now?", "Who is {P}'s current partner?"),
    ),
    Topic(
        "business",
        "with {shop}",
        ("What is {P} opening?", "What did the bank say yes to for {P}?"),
        {
            "shop": (
                "a mobile coffee cart",
                "a shop for second-hand maps",
                "an online store for candles",
                "a repair café",
                "a dog-walking service",
            ),
            "problem": ("the permits", "finding a cheap room", "the website", "getting up at four"),
        },
        (
            "I'm opening {shop}. I must be mad.",
            "It's official, I've founded my own thing: {shop}.",
            "The bank said yes to {shop}!",
        ),
        ("What business did {P} start?", "What kind of company does {P} own?", "What did {P} found?"),
        (
            Detail(
                ("What's the hardest thing?", "Is it going smoothly?", "Any obstacles?"),
                ("The nightmare is {problem}.", "{problem}, by far.", "All good but for {problem}."),
                (
                    "What difficulty does {P} face as a founder?",
                    "What is hard for {P} about running a business?",
                ),
            ),
        ),
        (
            "You as a boss! I'll be your first customer.",
            "So brave to start something of your own.",
            "If anyone can run a business, it's you.",
        ),
        ("Business is slow but steady.", "Paperwork all day, the joys of being self-employed."),
        ("When did {P} open the business?",),
    ),
)

LEARNING = Vocabulary(
    people=(
        ("Marta", "Felix"),
        ("Ingrid", "Desmond"),
        ("Anouk", "Rafael"),
        ("Tamsin", "Viktor"),
        ("Leila", "Magnus"),
        ("Odette", "Callum"),
        ("Priscilla", "Bram"),
        ("Noor", "Emil"),
        ("Gwen", "Zoltan"),
        ("Sunniva", "Pavel"),
    ),
    topics=TOPICS,
    groups={
        "hobby": (
            "What activities does {P} do in their free time?",
            "Which hobbies does {P} have?",
            "What does {P} do for fun?",
        ),
        "trips": ("Which places has {P} travelled to?", "Where has {P} been on holiday?"),
        "books": ("Which books has {P} read?", "What literature does {P} talk about?"),
        "community": ("How does {P} contribute to the community?", "In what ways is {P} involved locally?"),
        "household": ("What changes have there been in {P}'s family and household?",),
    },
    greetings=(
        "Hey {O}! Long time no talk, how have you been?",
        "Hi {O}, good to hear from you. What's new?",
        "Hello {O}! How was your week?",
        "{O}! I was just thinking of you. How are things?",
        "Hi there! How's life treating you, {O}?",
    ),
    farewells=(
        "I have to run, talk soon!",
        "Take care, {O}. Say hi to everyone.",
        "Good night, {O}, this was nice.",
        "Let's catch up again next week.",
        "Off to bed. Bye!",
    ),
    openings=(
        "",
        "",
        "",
        "Hey {O}, ",
        "Well, ",
        "Oh, before I forget: ",
        "Honestly? ",
        "Haha, ",
        "I'm doing great! ",
        "You know what, {O}? ",
    ),
    asides=(
        "",
        "",
        "",
        "I'm still getting used to it.",
        "It means a lot to me.",
        "Life is full of surprises, isn't it?",
        "I wanted you to be the first to know.",
        "It's been quite a ride lately.",
        "I've learned a lot about myself.",
        "My family thinks I'm crazy.",
    ),
    cheers=(
        "That's amazing, {O}! I'm proud of you.",
        "Wow, good for you!",
        "Thanks, {O}, your support means the world.",
        "Haha, that's so like you.",
        "Keep going, you've got this!",
        "It's great to have a friend like you.",
        "I totally get that.",
        "Sounds great! Keep me posted.",
        "Sure, I'll let you know how it goes.",
        "That must have been quite something.",
    ),
    small_talk=(
        (
            "Is it raining at your place too?",
            "Non-stop. I've forgotten what the sun looks like.",
            "Same here. Soup weather.",
        ),
        ("Did you sleep well?", "Not really, too many thoughts.", "Try warm milk, it works for me."),
        (
            "My phone battery is dying, so I may vanish.",
            "No problem, we can continue tomorrow.",
            "Found a charger!",
        ),
        (
            "I can't believe how fast this year goes.",
            "Right? It was January a minute ago.",
            "We're getting old, {O}.",
        ),
        ("Have you had dinner?", "Just toast. I was too lazy.", "A classic."),
        ("Any plans for the weekend?", "Nothing fixed. Probably laundry.", "Living the dream!"),
        (
            "Sorry for the late reply, it was hectic.",
            "Don't worry, I'm slow myself.",
            "That's why we get along.",
        ),
    ),
    times=(
        ("", 0),
        ("", 0),
        ("yesterday", 1),
        ("last week", 7),
        ("two days ago", 2),
        ("last weekend", 5),
        ("a week ago", 7),
        ("last month", 30),
        ("three weeks ago", 21),
    ),
)
