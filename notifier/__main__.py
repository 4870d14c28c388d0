from services.run import main

main("notifier")
