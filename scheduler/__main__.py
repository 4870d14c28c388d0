from services.run import main

main("scheduler")
