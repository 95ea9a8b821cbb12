"""The vocabulary of the chats that rankings are judged on. Invented; it shares no topic with the other one's."""

# phrases read better unbroken
from bench.evaluation.topics import Detail, Topic, Vocabulary

TOPICS = (
    Topic(
        "painting",
        "with {scene}",
        (
            "What was {P} painting with the easel from the attic?",
            "What picture did {P} spend the afternoon on?",
        ),
        {
            "scene": (
                "a stormy beach at dusk",
                "my grandmother's hands",
                "a row of red boats",
                "the view from the water tower",
                "two herons in the fog",
            ),
            "medium": ("oils", "watercolour", "charcoal", "acrylics on old doors"),
            "spot": (
                "in the hallway",
                "above the fireplace",
                "at the dentist's, who bought it",
                "in a café downtown",
            ),
        },
        (
            "I've been painting again, last thing I did is {scene}.",
            "The easel came out of the attic! I spent the afternoon on {scene}.",
            "I made something I'm not ashamed of for once, a picture of {scene}.",
        ),
        (
            "What did {P} paint?",
            "What is the subject of {P}'s artwork?",
            "What does {P}'s latest canvas show?",
        ),
        (
            Detail(
                ("Lovely! What do you work with?", "Which technique?", "What did you use?"),
                (
                    "This time {medium}. I wanted something less tidy.",
                    "I'm into {medium} at the moment.",
                    "It's {medium}, my teacher would faint.",
                ),
                ("Which art medium does {P} work in?", "What materials does {P} use for art?"),
            ),
            Detail(
                ("Where will it go?", "Is it up on a wall yet?", "Where can one see it?"),
                ("It's hanging {spot}.", "You can see it {spot}.", "I put it {spot}, nobody has complained."),
                ("Where is {P}'s picture displayed?", "Where did {P}'s artwork end up?"),
            ),
        ),
        (
            "You have such an eye for colour, I can only draw stick figures.",
            "Art is good medicine. Send me a photo of the picture!",
            "{scene}? That must look dramatic on canvas.",
        ),
        (
            "The brushes are dry, I had no time for art.",
            "I keep looking at that picture and want to change everything.",
        ),
        ("When did {P} make the picture?", "When did {P} get back to the easel?"),
        group="creative",
    ),
    Topic(
        "parenthood",
        "when {child} {event}",
        ("What did {child} of {P} do that was so proud a moment?", "Which child of {P} {event}?"),
        {
            "child": (
                "our little Theo",
                "the twins",
                "my stepdaughter Amara",
                "our foster kid",
                "my youngest, Benji",
            ),
            "event": (
                "took a first step",
                "started kindergarten",
                "won a spelling contest",
                "learned to swim without armbands",
                "sang alone at the school show",
            ),
            "treat": (
                "a pancake breakfast",
                "a night in a tent behind the house",
                "a trip to the planetarium",
                "an enormous ice cream",
            ),
        },
        (
            "You should have been there, {child} {event}.",
            "Proud parent alert: {child} {event}!",
            "I'm still teary, {child} {event}.",
        ),
        (
            "What milestone did {P}'s child reach?",
            "What did {P}'s kid accomplish?",
            "What made {P} proud as a parent?",
        ),
        (
            Detail(
                ("That calls for a treat!", "Did you celebrate?", "How did you mark it?"),
                (
                    "Of course, we had {treat}.",
                    "{treat}, what else. It was requested.",
                    "We ended the day with {treat}.",
                ),
                ("How did {P}'s family celebrate the milestone?", "What reward did the child of {P} get?"),
            ),
        ),
        (
            "They grow up so fast. Kiss the kids from me.",
            "Being a parent is the hardest job there is.",
            "I wish I had half of that energy, children are a wonder.",
        ),
        ("The kids are asleep at last, I can hear myself think.", "School run, homework, bath, repeat."),
        ("When did {P}'s child reach the milestone?",),
        group="kids",
    ),
    Topic(
        "camping",
        "at {place}",
        ("Where did {P} sleep under the stars?", "Near what did {P} pitch the tent for camping?"),
        {
            "place": (
                "the Black Lake",
                "a national park up north",
                "the sand dunes by the estuary",
                "a forest clearing near the quarry",
                "the canyon",
            ),
            "animal": (
                "a bear cub",
                "a family of otters",
                "an owl right above us",
                "about a million mosquitoes",
                "wild horses",
            ),
            "meal": (
                "burnt marshmallows",
                "trout over the fire",
                "cold beans from the can",
                "a stew that took six hours",
            ),
        },
        (
            "We slept under the stars at {place}, no phones, no noise.",
            "Just got home from camping at {place}, I smell like smoke.",
            "We pitched our tent near {place} and it was exactly what I needed.",
        ),
        (
            "Where did {P} go camping?",
            "Where did {P} spend the night outdoors?",
            "Which outdoor place did {P} visit with a tent?",
        ),
        (
            Detail(
                ("Any wildlife?", "Did you come across animals?", "Were you alone out there?"),
                (
                    "Not alone at all: {animal}.",
                    "We saw {animal}!",
                    "{animal}. The kids still talk about it.",
                ),
                ("What wildlife did {P} encounter?", "Which creatures did {P} see in nature?"),
            ),
            Detail(
                ("What did you eat?", "I hope there was a campfire dinner?", "And the cooking?"),
                (
                    "We lived on {meal}.",
                    "{meal}. Tasted better than any restaurant.",
                    "Let's not talk about it. {meal}.",
                ),
                ("What did {P} eat in the outdoors?", "What meal did {P} prepare at the campfire?"),
            ),
        ),
        (
            "Nature is the best therapy. I get nervous without a shower though.",
            "Sleeping in a tent, with your back? Respect!",
            "I can almost smell the campfire.",
        ),
        ("The tent is still drying in the corridor.", "I miss the quiet of the woods already."),
        ("When did {P} go camping?", "When did {P} sleep in the tent?"),
        group="outings",
    ),
    Topic(
        "museum",
        "at {show}",
        ("What did {P} drag everybody to, with a long queue?", "What did {P} take a day off for?"),
        {
            "show": (
                "the dinosaur exhibition",
                "a show of Japanese prints",
                "the maritime museum",
                "a gallery of robots",
                "the cathedral tour with a ghost guide",
            ),
            "fav": (
                "a clock made of bones",
                "the ship in a bottle the size of a bus",
                "a wave painted with three strokes",
                "a machine that writes poems",
            ),
        },
        (
            "We made it to {show}, the queue went round the block.",
            "I dragged everybody to {show} and for once nobody complained.",
            "I took a day off and treated myself to {show}.",
        ),
        (
            "What exhibition did {P} see?",
            "What cultural attraction did {P} visit?",
            "Which museum did {P} go to?",
        ),
        (
            Detail(
                ("What did you like best?", "Anything that stood out?", "Your favourite?"),
                (
                    "{fav}, I stood there for ages.",
                    "I can't get {fav} out of my head.",
                    "There was {fav}. Genius.",
                ),
                ("Which exhibit impressed {P} the most?", "What stood out to {P} at the museum?"),
            ),
        ),
        (
            "Culture on a weekday, I'm impressed.",
            "I always get tired feet in museums.",
            "That exhibition was in the paper!",
        ),
        ("Museums are closed on Mondays, learned that the hard way.", "We stayed in, too lazy for culture."),
        ("When did {P} see the exhibition?", "When did {P} go to the museum?"),
        group="outings",
    ),
    Topic(
        "support",
        "at {circle}",
        ("What did {P} gather the courage to walk into?", "What did {P} attend and find big?"),
        {
            "circle": (
                "a grief circle",
                "a group for single dads",
                "an evening for people who stutter",
                "a meeting of recovering gamblers",
                "a network for newcomers",
            ),
            "story": (
                "a woman who lost her farm",
                "a veteran who bakes",
                "somebody my age with the very same story",
                "an eighty-year-old who just came out",
            ),
            "feel": ("lighter than in years", "less alone", "ready to call my mother", "brave, for a change"),
        },
        (
            "Something big for me: I went to {circle}.",
            "I finally gathered the courage and walked into {circle}.",
            "I wasn't sure I'd tell anyone, but I attended {circle}.",
        ),
        (
            "Which gathering did {P} attend for help?",
            "What kind of support did {P} look for?",
            "What group did {P} find the courage to visit?",
        ),
        (
            Detail(
                ("What was it like? Who was there?", "Did you talk to people?", "Were the others kind?"),
                (
                    "There was {story}. I was in tears.",
                    "The one I'll remember is {story}.",
                    "I sat next to {story}.",
                ),
                ("Whose story touched {P}?", "Whom did {P} meet at the gathering?"),
            ),
            Detail(
                ("And how do you feel now?", "Did it do you good?", "What did it give you?"),
                ("I feel {feel}.", "Walking home I was {feel}.", "It left me {feel}. I'll go again."),
                ("How did the gathering make {P} feel?", "What effect did the meeting have on {P}?"),
            ),
        ),
        (
            "Thank you for sharing that with me. You're stronger than you think.",
            "A safe place to talk is worth so much.",
            "I'm glad you found people who listen.",
        ),
        (
            "I'm doing better, one day at a time, with the help of good people.",
            "Talking helps, as we both know.",
        ),
        ("When did {P} go to the gathering?", "When did {P} attend the support meeting?"),
    ),
    Topic(
        "calling",
        "as {goal}",
        ("What does {P} want to do with life, what to become?", "For what plan has {P} sent for the forms?"),
        {
            "goal": (
                "a midwife",
                "a pilot for cargo planes",
                "a counsellor for teenagers",
                "a tailor",
                "an interpreter at court",
            ),
            "reason": (
                "somebody did it for me when I needed it",
                "I can't sit in front of a screen any longer",
                "my uncle's stories never left me",
                "I like it when things are precise",
            ),
        },
        (
            "I've been thinking hard and I want to become {goal}.",
            "So here's the plan, don't laugh: {goal}. I've sent for the forms.",
            "I know what I want to do with my life. I'm going to be {goal}.",
        ),
        (
            "What career does {P} want?",
            "Which profession is {P} aiming for?",
            "What does {P} hope to become?",
        ),
        (
            Detail(
                ("What gave you the idea?", "Where does that come from?", "Why that one?"),
                ("Because {reason}.", "It's simple, {reason}.", "You know me: {reason}."),
                ("Why did {P} choose that career?", "What inspired {P}'s professional dream?"),
            ),
        ),
        (
            "You'd be so good at it! People trust you right away.",
            "A dream is a plan with a deadline, they say.",
            "Changing course takes guts.",
        ),
        ("Still filling in forms, the future is slow.", "I dream big and sleep little."),
        ("When did {P} decide on a career?",),
        (
            "Forget what I said about my future, I've changed my mind: {goal} it is.",
            "You'll think I'm fickle. I dropped the old dream and I'm training to be {goal}.",
        ),
        ("What does {P} want to become now?", "Which career is {P} currently aiming for?"),
    ),
    Topic(
        "workplace",
        "at {company}",
        ("What is on {P}'s badge?", "Which offer did {P} accept and whom has {P} joined?"),
        {
            "company": (
                "a robotics lab",
                "the tax office",
                "Brightwell Architects",
                "the botanical garden",
                "a radio station",
                "the port authority",
            ),
            "duty": (
                "checking blueprints",
                "writing the morning news",
                "calming down angry callers",
                "keeping orchids alive",
                "fixing other people's spreadsheets",
            ),
            "boss": (
                "a former chess champion",
                "never in the building",
                "younger than my nephew",
                "somebody who whistles all day",
            ),
        },
        (
            "First day done! I'm at {company} since Monday.",
            "They made me an offer I couldn't refuse, so I've joined {company}.",
            "My badge says {company}. I keep looking at it.",
        ),
        ("Where is {P} employed?", "Which company did {P} join?", "What is the name of {P}'s workplace?"),
        (
            Detail(
                ("What do you do all day?", "What does the day look like?", "And your duties?"),
                ("Mostly {duty}.", "I spend my days {duty}.", "{duty}, eight hours, with a headset on."),
                ("What tasks does {P} have at work?", "What is {P} responsible for professionally?"),
            ),
            Detail(
                ("How's the boss?", "Nice people?", "Who do you report to?"),
                ("My boss is {boss}.", "The boss? {boss}.", "I report to the director, who is {boss}."),
                ("What is {P}'s supervisor like?", "Who is in charge where {P} works?"),
            ),
        ),
        (
            "New desk, new luck! I'm thrilled for you.",
            "I hope they pay you properly. My office is a zoo.",
            "They have no idea how lucky they are with you.",
        ),
        ("Deadlines, deadlines. Ask me again on Friday.", "The commute is killing me."),
        ("When did {P} start at the company?", "When did {P} accept the offer?"),
        (
            "I've moved on professionally, the badge now says {company}.",
            "Remember my old desk? Somebody else's now. I went over to {company}.",
            "Career update: goodbye to the old place, hello {company}.",
        ),
        ("Where is {P} employed at the moment?", "What is {P}'s present workplace?"),
    ),
    Topic(
        "dwelling",
        "in {town}",
        ("Where did {P} unpack one fork and get the keys?", "For which place did {P} leave the suburbs?"),
        {
            "town": ("Porto", "Leeds", "the island of Gotland", "Bologna", "a hamlet in the Vosges", "Tartu"),
            "quirk": (
                "a ghost in the pipes",
                "a view of the cemetery",
                "a rooftop with beehives",
                "doors that don't close",
                "an orange carpet everywhere",
            ),
        },
        (
            "The keys are mine! From now on you'll find me in {town}.",
            "Greetings from {town}, where I've unpacked exactly one fork.",
            "It's done, we left the suburbs for {town}.",
        ),
        ("In which city does {P} live?", "Where did {P} relocate to?", "Where is {P} based?"),
        (
            Detail(
                ("What's the place like?", "And the new house?", "Any surprises?"),
                (
                    "It comes with {quirk}.",
                    "Charming, apart from {quirk}.",
                    "Well, nobody mentioned {quirk}.",
                ),
                ("What is odd about {P}'s new place?", "What feature does {P}'s house come with?"),
            ),
        ),
        (
            "{town} suits you! I expect an invitation.",
            "A new address is a new life.",
            "I'd never dare to leave, I'm too attached to my street.",
        ),
        ("Still living out of boxes over here.", "I fixed a shelf today, that's all."),
        ("When did {P} relocate?", "When did {P} get the keys?"),
        (
            "Address change, please note: we've left for {town}.",
            "I couldn't stand it there any longer, so it's {town} now, keys and all.",
        ),
        ("In which city is {P} living now?", "Where is {P} based these days?"),
    ),
    Topic(
        "sport",
        "in {sport}",
        ("What does {P} do on Wednesdays?", "Which sport is {P} hooked on?"),
        {
            "sport": (
                "rock climbing",
                "fencing",
                "rowing",
                "aikido",
                "wheelchair basketball",
                "roller derby",
            ),
            "coach": (
                "a grandmother of six",
                "my old maths teacher",
                "a firefighter",
                "somebody from the national team",
            ),
            "aim": (
                "the regional championship",
                "a black belt",
                "not falling off",
                "a place in the first boat",
            ),
        },
        (
            "You'll never guess what I do on Wednesdays now: {sport}.",
            "I've found my sport, it's {sport}!",
            "I got hooked on {sport}, my arms hurt in places I didn't know.",
        ),
        ("Which sport does {P} practise?", "What athletic activity is {P} into?", "How does {P} stay fit?"),
        (
            Detail(
                ("Who trains you?", "Do you have a coach?", "Who is teaching this?"),
                ("Our coach is {coach}.", "{coach}, merciless but kind.", "I'm trained by {coach}."),
                ("Who coaches {P}?", "Who is {P}'s trainer?"),
            ),
            Detail(
                ("What are you aiming for?", "Any ambitions?", "Will you compete?"),
                ("My aim is {aim}.", "Secretly, {aim}.", "For this season: {aim}."),
                ("What sporting goal does {P} have?", "What is {P} training for?"),
            ),
        ),
        (
            "I get sore just hearing about it!",
            "Sport was never my thing, but I'll cheer.",
            "You look stronger already, honestly.",
        ),
        ("Training was cancelled, the hall is flooded.", "Muscles like stones today."),
        ("When did {P} take up the sport?",),
        group="creative",
    ),
    Topic(
        "pet",
        "with {species}",
        ("What resident has {P}'s family taken in?", "Which animals does {P} have in the family?"),
        {
            "species": (
                "a hedgehog with one eye",
                "a labrador",
                "two ferrets",
                "a cockatoo",
                "a grumpy Persian cat",
            ),
            "name": ("Mango", "Duchess", "Pixel", "Sir Henry", "Nutmeg"),
            "origin": (
                "on the motorway",
                "from an ad in the paper",
                "in a box outside the church",
                "at my aunt's funeral, oddly",
            ),
        },
        (
            "Our family has grown, we've taken in {species}.",
            "Meet the latest resident: {species}. It owns the place by now.",
            "I said no more animals, and here I am with {species}.",
        ),
        ("Which pet does {P} have?", "What animal lives with {P}?"),
        (
            Detail(
                ("What's the name?", "And you call it?", "Name, please!"),
                (
                    "{name}, obviously.",
                    "Everyone voted and {name} won.",
                    "It answers to {name}, or rather it doesn't.",
                ),
                ("What is the name of {P}'s pet?", "How is {P}'s animal called?"),
            ),
            Detail(
                ("Where did you find it?", "How did you come by it?", "Where is it from?"),
                ("We found it {origin}.", "You won't believe it, {origin}.", "It turned up {origin}."),
                ("Where did {P} get the animal?", "How did {P} come by the pet?"),
            ),
        ),
        (
            "I need to come over and cuddle. My allergies can wait.",
            "Animals know who is kind.",
            "Another one! Your home is a zoo.",
        ),
        ("Vet bills again, what can you do.", "The animals send purrs and barks."),
        ("When did {P} take in the animal?",),
        group="kids",
    ),
    Topic(
        "reading",
        "in {book}",
        ("Which book could {P} not put down?", "What did the book club of {P} choose?"),
        {
            "book": (
                "The Clockmaker's Daughterland",
                "Nine Ways Home",
                "Becoming Nobody's Child",
                "The Quiet Engine",
                "Moth Season",
            ),
            "theme": (
                "growing up between two languages",
                "a lighthouse that refuses to be sold",
                "loss, but funny",
                "the invention of the zip",
            ),
        },
        (
            "I couldn't put down {book}, it kept me company all week.",
            "My book club chose {book} and I loved every page.",
            "Somebody left {book} on the bus for me, practically. I read it in two sittings.",
        ),
        (
            "What did {P} read?",
            "Which title did {P} read with pleasure?",
            "What literature does {P} recommend?",
        ),
        (
            Detail(
                ("What's it about?", "Tell me more, what's the theme?", "What kind of story?"),
                (
                    "It deals with {theme}.",
                    "At heart it's {theme}.",
                    "On the surface nothing, underneath {theme}.",
                ),
                (
                    "What topic does the text {P} read deal with?",
                    "What is the theme of the volume {P} enjoyed?",
                ),
            ),
        ),
        (
            "I'll borrow it when you're done, with tea stains and all.",
            "I only read recipes these days.",
            "A good story beats any screen.",
        ),
        ("The book club met without me.", "I fell asleep on page one."),
        ("When did {P} read that?",),
        group="titles",
    ),
    Topic(
        "concert",
        "at the concert of {act}",
        ("Who did {P} hear live in the front row?", "For what did {P} get last-minute tickets?"),
        {
            "act": (
                "a brass band from Serbia",
                "my favourite singer, Ilse Marr",
                "an orchestra made of vegetables",
                "a punk choir",
                "the string quartet of our town",
            ),
            "company": ("my niece", "two colleagues", "an old flame", "nobody, and I loved it"),
        },
        (
            "My ears are ringing, we heard {act} live.",
            "What a night! {act}, and I was in the front row.",
            "I got last-minute tickets for {act}.",
        ),
        (
            "Which musicians did {P} see live?",
            "What concert did {P} attend?",
            "Who performed at the show that {P} went to?",
        ),
        (
            Detail(
                ("Who went along?", "Did you go by yourself?", "Who was with you?"),
                ("I was there with {company}.", "{company}, actually.", "It was me and {company}."),
                ("With whom did {P} go to the concert?", "Who joined {P} for the live music?"),
            ),
        ),
        (
            "Live music is a different world. I'd have danced.",
            "I bet the sound was terrific.",
            "Tickets are impossible to get these days.",
        ),
        ("Only the radio for me this week.", "I've had the same tune in my head for days."),
        ("When did {P} go to the concert?", "When did {P} hear the live music?"),
        group="outings",
    ),
    Topic(
        "baking",
        "with {bake}",
        ("What did {P} bake for the office?", "What came out of {P}'s oven?"),
        {
            "bake": (
                "sourdough with walnuts",
                "a seven-layer honey cake",
                "cinnamon knots",
                "a pie with green tomatoes",
            ),
            "secret": (
                "a spoon of vinegar",
                "browned butter",
                "letting it rest for two days",
                "my neighbour's goose eggs",
            ),
        },
        (
            "The oven has been on all day: {bake}!",
            "I baked {bake} for the office and it was gone in minutes.",
            "Look what came out of my oven, {bake}.",
        ),
        ("What did {P} bake?", "What treat did {P} make in the kitchen?"),
        (
            Detail(
                ("What's the trick?", "Will you share the recipe?", "How do you get it so good?"),
                ("The secret is {secret}.", "{secret}. Don't tell anyone.", "It's all about {secret}."),
                ("What is {P}'s secret ingredient or trick?", "What makes {P}'s baking special?"),
            ),
        ),
        (
            "I can smell it from here. Save me a slice!",
            "I burn toast, so hats off.",
            "You should sell these.",
        ),
        ("Flour everywhere and nothing to show for it.", "I bought a cake, shame on me."),
        ("When did {P} do the baking?",),
        group="creative",
    ),
    Topic(
        "accident",
        "after I {mishap}",
        (
            "Which disaster happened on one of those days to {P}?",
            "What was {P}'s disaster that was good for a laugh?",
        ),
        {
            "mishap": (
                "backed my car into a fountain",
                "locked myself out in a bathrobe",
                "lost my passport at the border",
                "dropped my laptop in the bath",
                "flooded the downstairs neighbours",
            ),
            "rescue": (
                "a nun with a crowbar",
                "two policemen with a sense of humour",
                "my ex-husband",
                "a teenager on a skateboard",
            ),
        },
        (
            "Disaster! I {mishap}.",
            "If you need a laugh at my expense: I {mishap}.",
            "It was one of those days, I {mishap}.",
        ),
        (
            "What mishap did {P} have?",
            "What went wrong for {P}?",
            "Which embarrassing thing happened to {P}?",
        ),
        (
            Detail(
                ("No! Who helped you?", "How did you get out of that?", "And who came to the rescue?"),
                ("I was saved by {rescue}.", "{rescue}, of all people.", "Luckily there was {rescue}."),
                ("Who rescued {P}?", "Who came to {P}'s aid?"),
            ),
        ),
        ("Only you! I'm sorry, but I'm laughing.", "At least nobody was hurt.", "I'd have cried for a week."),
        ("No disasters today, knock on wood.", "Quiet day, I hardly trust it."),
        ("When did {P}'s mishap happen?", "When did things go wrong for {P}?"),
    ),
    Topic(
        "wedding",
        "at the party when {kin} {what}",
        ("What party left confetti in {P}'s hair?", "Who of {P}'s people {what}?"),
        {
            "kin": ("my parents", "my best man from school", "Auntie Rosa", "the couple next door"),
            "what": (
                "celebrated forty years of marriage",
                "tied the knot on a ferry",
                "renewed their vows in the rain",
                "eloped and told us by postcard",
            ),
            "role": (
                "made a toast that was far too long",
                "played the guitar",
                "held the rings",
                "cooked for sixty people",
            ),
        },
        (
            "{kin} {what}, I'm still full of emotion.",
            "What a party: {kin} {what}!",
            "I've got confetti in my hair. {kin} {what}.",
        ),
        ("What celebration was {P} at?", "What did {P}'s loved ones celebrate?"),
        (
            Detail(
                ("Did you have a part in it?", "What did you do there?", "Did they make you work?"),
                ("I {role}.", "They asked me, so I {role}.", "Don't ask: I {role}."),
                ("What part did {P} play in the celebration?", "How did {P} contribute to the party?"),
            ),
        ),
        (
            "Weddings make me cry every single time.",
            "Here's to love! I hope there was dancing.",
            "What a family you have.",
        ),
        ("No parties for a while, my feet need a break.", "We looked at old albums all night."),
        ("When was the celebration that {P} attended?",),
        group="kids",
    ),
    Topic(
        "campaign",
        "with {campaign}",
        ("What was {P} busy organising?", "In what did {P} take part to make a difference?"),
        {
            "campaign": (
                "a petition for a night bus",
                "the march for clean air",
                "a swap day for children's clothes",
                "reading lessons in the prison",
                "a fundraiser for the animal clinic",
            ),
            "outcome": (
                "three thousand signatures",
                "a handshake from the mayor",
                "more rain than people",
                "enough money for two years",
            ),
        },
        (
            "I've been busy: I organised {campaign}.",
            "I want to make a difference, so I took part in {campaign}.",
            "My voice is gone because of {campaign}.",
        ),
        (
            "What cause did {P} get engaged in?",
            "What did {P} organise for others?",
            "How did {P} try to make a difference?",
        ),
        (
            Detail(
                ("What came of it?", "Was it a success?", "Did it work out?"),
                ("We got {outcome}.", "In the end: {outcome}.", "{outcome}! I'd do it again."),
                ("What was the result of {P}'s engagement?", "What did {P}'s campaign achieve?"),
            ),
        ),
        (
            "You never sit still for injustice, I love that.",
            "Small steps change the world.",
            "I signed it, of course!",
        ),
        ("Nobody answers the emails about it, typical.", "We need more hands, as ever."),
        ("When did {P} organise the event?", "When did {P} take part in the campaign?"),
        group="titles",
    ),
    Topic(
        "habit",
        "with {habit}",
        (
            "Which new routine does {P} have in the mornings?",
            "What has {P} taken to on the advice of a sister?",
        ),
        {
            "habit": (
                "meditating at six",
                "smoking again",
                "ice baths",
                "writing a diary by hand",
                "walking ten thousand steps",
            ),
            "effect": (
                "sleep like a stone",
                "shout less",
                "understand my own handwriting again",
                "am hungry all the time",
            ),
        },
        (
            "I have a new routine, {habit}. Don't judge.",
            "Something changed in my mornings: {habit}.",
            "I've taken to {habit}, on my sister's advice.",
        ),
        ("What routine does {P} have?", "Which habit did {P} pick up?"),
        (
            Detail(
                ("Does it do anything?", "What's the effect?", "Do you notice a difference?"),
                ("Since then I {effect}.", "I {effect}. That's science.", "Apparently I {effect}."),
                ("What difference did the routine make for {P}?", "How does the habit affect {P}?"),
            ),
        ),
        (
            "Routines keep us sane. Mine is coffee.",
            "I'd last two days at most.",
            "Good habits are hard to find.",
        ),
        ("No routine at all this week, total mess.", "Up late, up early, the usual."),
        ("When did {P} pick up the habit?",),
        (
            "The old routine is history. What I do instead is {habit}.",
            "I replaced my morning thing, it's {habit} from now on.",
        ),
        ("What is {P}'s routine now?", "Which habit does {P} currently have?"),
    ),
    Topic(
        "voyage",
        "in {land}",
        (
            "Where did {P} spend two weeks and fill the camera?",
            "From where did {P} come back home with sand?",
        ),
        {
            "land": (
                "Vietnam",
                "the Faroe Islands",
                "New Orleans",
                "Sicily",
                "Namibia",
                "the Baltic coast",
                "Peru",
            ),
            "luck": (
                "missed the last ferry",
                "were invited by a fisherman",
                "got engaged strangers as roommates",
                "won a dance contest",
            ),
            "souvenir": (
                "a clay whistle",
                "a tattoo",
                "eleven kilos of tea",
                "a carpet I can't fit anywhere",
            ),
        },
        (
            "Back home from {land}, with sand in everything.",
            "Two weeks in {land} and I'm a different person.",
            "{land} was unreal, my camera is full.",
        ),
        (
            "Which foreign place has {P} been to?",
            "Where did {P} go on vacation?",
            "What country did {P} tour?",
        ),
        (
            Detail(
                ("Tell me a story!", "Any adventures?", "What happened on the way?"),
                ("We {luck}.", "Would you believe we {luck}?", "On day three we {luck}. Classic."),
                ("What adventure did {P} have abroad?", "What happened to {P} while on vacation?"),
            ),
            Detail(
                ("Did you bring something home?", "Souvenirs?", "What's in the suitcase?"),
                ("I came back with {souvenir}.", "{souvenir}. I regret nothing.", "Only {souvenir}."),
                ("What souvenir did {P} buy?", "What did {P} bring home from abroad?"),
            ),
        ),
        (
            "You make me want to pack my bags this minute.",
            "My last vacation was a weekend at my mother's.",
            "Distant places change people, I agree.",
        ),
        ("The suitcase is back in the cellar, sadly.", "I'm browsing flights just for fun."),
        ("When was {P} abroad?", "When did {P} come home from vacation?"),
        group="voyages",
    ),
)

TESTING = Vocabulary(
    people=(
        ("Carla", "Milo"),
        ("Josephine", "Anders"),
        ("Rhea", "Tobias"),
        ("Mirela", "Duncan"),
        ("Freya", "Omar"),
        ("Bettina", "Kofi"),
        ("Sabine", "Leon"),
        ("Yara", "Hugo"),
    ),
    topics=TOPICS,
    groups={
        "creative": ("What pastimes does {P} enjoy?", "What does {P} do to relax and express themselves?"),
        "outings": ("What outings has {P} been on?", "Which events and places did {P} go to?"),
        "kids": ("What happened in {P}'s home and family life?", "Who belongs to {P}'s family?"),
        "titles": ("What does {P} do besides work?", "What is {P} passionate about?"),
        "voyages": ("Which countries or regions has {P} visited?", "What destinations has {P} been to?"),
    },
    greetings=(
        "Good to see you, {O}! What have you been up to?",
        "Hey {O}, what's going on in your world?",
        "Morning, {O}! Anything new since we last spoke?",
        "{O}, hey! It's been a while, hope you're well.",
        "Hiya! I've got five minutes, tell me everything, {O}.",
    ),
    farewells=(
        "Gotta go, the kids are calling. Bye!",
        "See you, {O}! Stay safe.",
        "Until next time, {O}.",
        "That was fun, let's do it again.",
        "I'm off. Hugs!",
    ),
    openings=(
        "",
        "",
        "",
        "Oh, {O}, ",
        "So, ",
        "Guess what: ",
        "By the way, ",
        "Thanks for asking! ",
        "Not bad! ",
        "Well, {O}, ",
    ),
    asides=(
        "",
        "",
        "",
        "I couldn't stop smiling.",
        "It reminded me why I love this life.",
        "I'm kind of nervous about it all, to be honest.",
        "Everybody here has an opinion, of course.",
        "Isn't that something?",
        "I needed this after the year I had.",
        "It's a little crazy, I know.",
    ),
    cheers=(
        "Wow, {O}, that's incredible!",
        "I'm so happy for you!",
        "Thank you, that's sweet of you to say.",
        "Absolutely, I feel the same way.",
        "You inspire me, really.",
        "Yeah, it was awesome, one to remember.",
        "Can't wait to hear more about it!",
        "No way! Good on you, {O}.",
        "That means a lot coming from you.",
        "I bet it was worth it.",
    ),
    small_talk=(
        ("How's the weather over there?", "Windy. My umbrella is dead.", "May it rest in peace."),
        ("I need coffee before I can think.", "Same. It's my third.", "Rookie numbers!"),
        ("Did you watch the game?", "I fell asleep at half time.", "You missed nothing."),
        ("My neighbour is drilling again.", "Mine is learning to yodel, want to swap?", "No deal."),
        (
            "Time flies, doesn't it?",
            "Tell me about it, I still write last year's date.",
            "Happens to all of us.",
        ),
        ("Is your cold gone?", "Nearly, I only sneeze at night.", "Ginger tea!"),
        ("What's for dinner?", "Whatever is in the freezer.", "Adventurous."),
    ),
    times=(
        ("", 0),
        ("", 0),
        ("yesterday", 1),
        ("last week", 7),
        ("the day before yesterday", 2),
        ("on the weekend", 4),
        ("ten days ago", 10),
        ("last month", 30),
        ("two weeks ago", 14),
    ),
)
