from services.run import main

main("ingest")
