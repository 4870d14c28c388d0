from services.run import main

main("scoring")
